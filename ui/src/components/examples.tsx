// The built-in demo model draws a small world of coloured shapes and knows 35 words: examples, so that nobody has to guess them.

import { Text } from "@mantine/core";
import classes from "./examples.module.css";
import { Facts } from "./facts.tsx";
import { Fold } from "./fold.tsx";

export const sentences = [
  "a red circle left of a blue square",
  "two small green triangles on black",
  "a large yellow cross above a purple circle",
  "a cyan square right of a red triangle on white",
  "three blue circles",
  "a small purple cross below a large green square on gray",
];

const words: Readonly<Record<string, string>> = {
  Shapes: "circle, square, triangle, cross",
  Colours: "red, green, blue, yellow, purple, cyan",
  Sizes: "small, large",
  Numbers: "a, two, three",
  Places: "left of, right of, above, below",
  Grounds: "on white, on black, on gray",
  Between: "and",
};

export function Examples({ onChoose }: { onChoose: (sentence: string) => void }) {
  return (
    <div>
      <Text size="xs" c="dimmed">
        The built-in demo model draws coloured shapes. Try one of these:
      </Text>
      <ul className={classes.sentences}>
        {sentences.map((sentence) => (
          <li key={sentence}>
            <button type="button" onClick={() => onChoose(sentence)}>
              {sentence}
            </button>
          </li>
        ))}
      </ul>
      <Fold title="The words that it knows">
        <Facts facts={words} />
      </Fold>
    </div>
  );
}
