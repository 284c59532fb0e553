// The rewards that were not optimised beside those that were: an optimiser pleases its own reward, the others say what that is worth.

import { Stack, Table } from "@mantine/core";
import { Note } from "../../components/note.tsx";
import classes from "./honestPanel.module.css";
import { scoreText } from "./steps.ts";
import { type Change, direction, type Verdict, verdict } from "./verdict.ts";

export interface HonestPanelProps {
  readonly optimised: readonly Change[];
  readonly observed: readonly Change[];
  /** What stands in the column of the later values. */
  readonly after: string;
  /** More that is known of such runs. */
  readonly known?: string | undefined;
}

export function HonestPanel({ optimised, observed, after, known }: HonestPanelProps) {
  return (
    <Stack gap="sm">
      <Table className={classes.table} verticalSpacing={6}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">Reward</Table.Th>
            <Table.Th scope="col">Before</Table.Th>
            <Table.Th scope="col">{after}</Table.Th>
            <Table.Th scope="col">Change</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Rows title="Optimised" changes={optimised} />
        {observed.length > 0 && <Rows title="Not optimised" changes={observed} />}
      </Table>
      <VerdictNote verdict={verdict(optimised, observed)} known={known} />
    </Stack>
  );
}

function Rows({ title, changes }: { title: string; changes: readonly Change[] }) {
  return (
    <Table.Tbody>
      <Table.Tr>
        <Table.Th colSpan={4} scope="rowgroup" className={classes.group}>
          {title}
        </Table.Th>
      </Table.Tr>
      {changes.map((change) => (
        <Table.Tr key={change.name}>
          <Table.Th scope="row">{change.name}</Table.Th>
          <Table.Td>{scoreText(change.before)}</Table.Td>
          <Table.Td>{scoreText(change.after)}</Table.Td>
          <Table.Td data-direction={direction(change)}>{changeText(change)}</Table.Td>
        </Table.Tr>
      ))}
    </Table.Tbody>
  );
}

const marks = { "1": "▲ +", "0": "= ", "-1": "▼ −" } as const;

const changeText = (change: Change) =>
  `${marks[`${direction(change)}` as keyof typeof marks]}${scoreText(Math.abs(change.after - change.before))}`;

function VerdictNote({ verdict: { tone, title, text }, known }: { verdict: Verdict; known: string | undefined }) {
  return (
    <Note tone={tone} title={title}>
      <p>{text}</p>
      {known && <p>{known}</p>}
    </Note>
  );
}
