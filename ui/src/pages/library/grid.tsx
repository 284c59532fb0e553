// A grid of as many pictures as there are, of which only those in view are in the page. The window itself scrolls, and its bar is as long as the library.
// biome-ignore-all lint/a11y/useSemanticElements: a real table could not hold rows that lie where the window is

import { useElementSize, useMergedRef } from "@mantine/hooks";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type MouseEvent, useEffect, useLayoutEffect, useRef, useState } from "react";
import type { LibraryItem } from "../../../../src/server/api/library.ts";
import type { Limits } from "../../components/scoreBadge.tsx";
import { Cell } from "./cell.tsx";
import classes from "./grid.module.css";
import { everything, isSelected, nothing, only, type Selection, toggled, upTo } from "./selection.ts";

export interface GridProps {
  readonly items: readonly LibraryItem[];
  readonly total: number;
  readonly reward: string;
  readonly limits: Limits;
  readonly demoFolders: readonly string[];
  readonly selection: Selection;
  readonly onSelect: (selection: Selection) => void;
  readonly onOpen: (item: LibraryItem) => void;
  readonly onWant: (upTo: number) => void;
  /** Where it was scrolled to, in pixels; and told when it is left. */
  readonly scroll: number;
  readonly onLeave: (scroll: number) => void;
}

const GAP = 12;
const CAPTION = 30;
const STICKY = 128; // the header and the tools above the grid cover so much of the window
const AHEAD = 60; // pictures asked for beyond the last one in view

export function Grid(props: GridProps) {
  const { items, total, selection, onSelect, onOpen, onWant } = props;
  const { ref: sized, width } = useElementSize<HTMLDivElement>();
  const box = useRef<HTMLDivElement>(null);
  const [margin, setMargin] = useState(0);
  const [active, setActive] = useState(0);
  const focusActive = useRef(false);

  const columns = Math.max(2, Math.floor((width + GAP) / (columnWidth(width) + GAP)));
  const side = Math.max(80, (width - GAP * (columns - 1)) / columns);
  const rowHeight = Math.round(side + CAPTION + GAP);
  const rows = Math.ceil(total / columns);

  useLayoutEffect(() => setMargin(box.current?.offsetTop ?? 0), []);
  const virtual = useWindowVirtualizer({
    count: width > 0 ? rows : 0,
    estimateSize: () => rowHeight,
    overscan: 2,
    scrollMargin: margin,
    scrollPaddingStart: STICKY,
    scrollPaddingEnd: 80,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: measured anew when the height of the rows has changed
  useLayoutEffect(() => virtual.measure(), [rowHeight, virtual]);

  const shown = virtual.getVirtualItems();
  const lastInView = ((shown.at(-1)?.index ?? 0) + 1) * columns;
  useEffect(() => onWant(Math.min(total, lastInView + AHEAD)), [onWant, total, lastInView]);

  useScrollKept(props.scroll, props.onLeave, width > 0);

  useEffect(() => {
    if (!focusActive.current) return;
    const cell = box.current?.querySelector<HTMLElement>(`[data-index="${active}"]`);
    if (!cell) return;
    cell.focus({ preventScroll: true });
    focusActive.current = false;
  });

  const goTo = (index: number, extend: boolean) => {
    const to = Math.max(0, Math.min(items.length - 1, index));
    setActive(to);
    if (extend) onSelect(upTo(selection, items, to));
    focusActive.current = true;
    virtual.scrollToIndex(Math.floor(to / columns), { align: "auto" });
  };

  const moves: Record<string, number> = {
    ArrowLeft: active - 1,
    ArrowRight: active + 1,
    ArrowUp: active - columns,
    ArrowDown: active + columns,
    Home: 0,
    End: items.length - 1,
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const item = items[active];
    const command = event.ctrlKey || event.metaKey;
    if (event.key in moves && !command) goTo(moves[event.key]!, event.shiftKey);
    else if (event.key === "Enter" && item) onOpen(item);
    else if (event.key === " ") onSelect(toggled(selection, items, active));
    else if (event.key === "a" && command) onSelect(everything);
    else if (event.key === "Escape") onSelect(nothing);
    else return;
    event.preventDefault();
  };

  const onClick = (event: MouseEvent<HTMLElement>) => {
    const index = indexAt(event);
    const item = index === undefined ? undefined : items[index];
    if (index === undefined || !item) return;
    setActive(index);
    const chosen = selection.all || selection.ids.size > 0;
    const byTouch = (event.nativeEvent as Partial<PointerEvent>).pointerType === "touch";
    const onTick = (event.target as Element).closest("[data-tick]") !== null;
    if (event.shiftKey) onSelect(upTo(selection, items, index));
    else if (onTick || event.ctrlKey || event.metaKey || (byTouch && chosen))
      onSelect(toggled(selection, items, index));
    else if (byTouch) onOpen(item);
    else onSelect(only(items, index));
  };
  const onDoubleClick = (event: MouseEvent<HTMLElement>) => {
    const item = items[indexAt(event) ?? -1];
    if (item && !event.shiftKey && !event.ctrlKey && !event.metaKey) onOpen(item);
  };

  const inView = shown.some(({ index }) => index === Math.floor(active / columns));
  const tabStop = inView ? active : (shown[0]?.index ?? 0) * columns; // there is always one cell to tab to
  return (
    <div
      ref={useMergedRef(sized, box)}
      role="grid"
      tabIndex={-1}
      aria-label="Pictures"
      aria-rowcount={rows}
      aria-colcount={columns}
      aria-multiselectable
      className={classes.grid}
      style={{ height: rows * rowHeight }}
      onKeyDown={onKeyDown}
      onClick={onClick}
      onDoubleClick={onDoubleClick}
    >
      {shown.map((row) => (
        <div
          key={row.key}
          role="row"
          tabIndex={-1}
          aria-rowindex={row.index + 1}
          className={classes.row}
          style={{
            gridTemplateColumns: `repeat(${columns}, ${side}px)`,
            gap: GAP,
            transform: `translateY(${row.start - margin}px)`,
          }}
        >
          {Array.from({ length: Math.min(columns, total - row.index * columns) }, (_, column) => {
            const index = row.index * columns + column;
            const item = items[index];
            return (
              <Cell
                key={index} // not the picture: the focus stays in its place when one goes
                item={item}
                index={index}
                column={column}
                side={side}
                reward={props.reward}
                limits={props.limits}
                demo={item !== undefined && props.demoFolders.includes(item.folder)}
                selected={item !== undefined && isSelected(selection, item.id)}
                tabStop={index === tabStop}
              />
            );
          })}
        </div>
      ))}
    </div>
  );
}

/** Large thumbnails, and always two of them beside each other on a phone. */
const columnWidth = (width: number) => (width < 500 ? 140 : 200);

function indexAt(event: MouseEvent<HTMLElement>): number | undefined {
  const cell = (event.target as Element).closest<HTMLElement>("[data-index]");
  return cell ? Number(cell.dataset.index) : undefined;
}

/** Back from a picture, the library stands where it was left. */
function useScrollKept(scroll: number, onLeave: (scroll: number) => void, ready: boolean): void {
  const restored = useRef(false);
  const leave = useRef(onLeave);
  leave.current = onLeave;
  useLayoutEffect(() => {
    if (!ready || restored.current) return;
    restored.current = true;
    window.scrollTo({ top: scroll });
  }, [ready, scroll]);
  // While the pictures are still in the page: without them it is short, and scrolled to its top.
  useLayoutEffect(() => () => leave.current(window.scrollY), []);
}
