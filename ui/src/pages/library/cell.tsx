// One picture of the grid: its thumbnail, its score, its prompt.
// biome-ignore-all lint/a11y/useSemanticElements: as in grid.tsx

import { VisuallyHidden } from "@mantine/core";
import { IconCheck, IconFileCheck } from "@tabler/icons-react";
import { memo } from "react";
import type { LibraryItem } from "../../../../src/server/api/library.ts";
import { DemoBadge } from "../../components/demoBadge.tsx";
import { PictureFrame } from "../../components/pictureFrame.tsx";
import { type Limits, ScoreBadge, scoreOf } from "../../components/scoreBadge.tsx";
import classes from "./cell.module.css";

export interface CellProps {
  /** Undefined: not fetched yet. */
  readonly item: LibraryItem | undefined;
  readonly index: number;
  readonly column: number;
  readonly side: number;
  readonly reward: string;
  readonly limits: Limits;
  readonly demo: boolean;
  readonly selected: boolean;
  readonly tabStop: boolean;
}

/** Clicks and keys are the grid's: it knows the pictures' order. */
export const Cell = memo(function Cell({ item, index, column, side, selected, tabStop, demo, ...shown }: CellProps) {
  return (
    <div
      role="gridcell"
      tabIndex={tabStop ? 0 : -1}
      aria-colindex={column + 1}
      aria-selected={selected}
      aria-busy={item === undefined}
      data-index={index}
      className={classes.cell}
    >
      <div className={classes.picture} style={{ height: side }}>
        <VisuallyHidden>{item?.name ?? `Picture ${index + 1} is being fetched`} </VisuallyHidden>
        {item && <Thumbnail item={item} {...shown} />}
      </div>
      <div className={classes.caption}>
        <span className={classes.prompt}>{item?.prompt ?? item?.name}</span>
        {demo && <DemoBadge />}
      </div>
    </div>
  );
});

type Shown = Pick<CellProps, "reward" | "limits">;

function Thumbnail({ item, reward, limits }: Shown & { item: LibraryItem }) {
  return (
    <>
      <PictureFrame src={item.thumbnail} alt="" width={item.width} height={item.height} className={classes.frame} />
      <span className={classes.tick} data-tick aria-hidden>
        <IconCheck size={16} stroke={3} />
      </span>
      <span className={classes.badges}>
        <ScoreBadge score={scoreOf(item.scores, reward)} reward={reward} limits={limits} />
        {item.written && (
          <span className={classes.written} title="The scores stand in the file">
            <IconFileCheck size={16} aria-hidden />
          </span>
        )}
      </span>
    </>
  );
}
