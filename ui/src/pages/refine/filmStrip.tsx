// A run's steps as small pictures in a row. A run may have thousands: only those in sight are there.

import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, useEffect, useRef } from "react";
import type { JobStep } from "../../../../src/server/api/jobs.ts";
import classes from "./filmStrip.module.css";
import { describeStep } from "./steps.ts";

export interface FilmStripProps {
  readonly steps: readonly JobStep[];
  /** Positions in `steps`. */
  readonly chosen: number;
  readonly best: number | undefined;
  readonly onChoose: (index: number) => void;
}

const tile = 84; // pixels, its gap included

/** Where a key leads. */
const moves: Readonly<Record<string, (index: number, last: number) => number>> = {
  ArrowLeft: (index) => index - 1,
  ArrowRight: (index) => index + 1,
  PageUp: (index) => index - 10,
  PageDown: (index) => index + 10,
  Home: () => 0,
  End: (_, last) => last,
};

export function FilmStrip({ steps, chosen, best, onChoose }: FilmStripProps) {
  const scroll = useRef<HTMLOListElement>(null);
  const byKey = useRef(false);
  const tiles = useVirtualizer({
    count: steps.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => tile,
    horizontal: true,
    overscan: 6,
  });
  useEffect(() => tiles.scrollToIndex(chosen), [chosen, tiles]);
  useEffect(() => {
    if (!byKey.current) return;
    byKey.current = false;
    // The tile that was led to may only come into being by the scrolling.
    requestAnimationFrame(() => scroll.current?.querySelector<HTMLElement>(`[data-index="${chosen}"]`)?.focus());
  }, [chosen]);

  const onKeyDown = (event: KeyboardEvent) => {
    const last = steps.length - 1;
    const to = moves[event.key]?.(chosen, last);
    if (to === undefined) return;
    event.preventDefault();
    byKey.current = true;
    onChoose(Math.min(last, Math.max(0, to)));
  };

  return (
    <ol ref={scroll} className={classes.strip} aria-label="Film strip of the steps">
      <li aria-hidden className={classes.length} style={{ width: tiles.getTotalSize() }} />
      {tiles.getVirtualItems().map(({ index, start }) => (
        <li
          key={index}
          className={classes.tile}
          style={{ left: start }}
          aria-setsize={steps.length}
          aria-posinset={index + 1}
        >
          <button
            type="button"
            data-index={index}
            tabIndex={index === chosen ? 0 : -1}
            aria-current={index === chosen ? "step" : undefined}
            aria-label={describeStep(steps[index]!, index === best)}
            onClick={() => onChoose(index)}
            onKeyDown={onKeyDown}
          >
            {steps[index]!.preview ? <img src={steps[index]!.preview} alt="" draggable={false} /> : <span />}
            <span className={classes.number} data-best={index === best || undefined}>
              {steps[index]!.step}
              {index === best && " best"}
            </span>
          </button>
        </li>
      ))}
    </ol>
  );
}
