// The chosen pictures and what is done with them: by the bar, and by keys while the grid has the focus.

import { useHotkeys } from "@mantine/hooks";
import { type KeyboardEvent, type ReactNode, useState } from "react";
import { useLocation } from "wouter";
import type { LibraryItem } from "../../../../src/server/api/library.ts";
import { type Change, changePictures, scorePictures, undo } from "./actions.tsx";
import { DeleteDialog, MoveDialog } from "./dialogs.tsx";
import type { PictureList } from "./pictureList.ts";
import { asRequest, countOf, isSelected, nothing, type Selection } from "./selection.ts";
import { type Command, commands, SelectionBar } from "./selectionBar.tsx";
import { type View, withSearch } from "./view.ts";

const MANY = 100; // from here on, deleting asks first

export interface ChosenPicturesProps {
  readonly view: View;
  readonly list: PictureList;
  readonly items: readonly LibraryItem[];
  readonly total: number;
  readonly selection: Selection;
  readonly onSelect: (selection: Selection) => void;
  /** The grid. */
  readonly children: ReactNode;
}

export function ChosenPictures({ view, list, items, total, selection, onSelect, children }: ChosenPicturesProps) {
  const [, navigate] = useLocation();
  const [asking, setAsking] = useState<"move" | "delete">();
  const count = countOf(selection, total);
  const available = availableFor(count, view.rejected === "true");
  useHotkeys([["mod+Z", () => void undo()]]);

  const change = async (name: Change, to?: string) => {
    setAsking(undefined);
    if ((await changePictures(name, asRequest(selection, view), to)) && name !== "write") onSelect(nothing);
  };
  const chosenIds = () => items.filter(({ id }) => isSelected(selection, id)).map(({ id }) => id);
  const run: Record<Command, () => unknown> = {
    open: () => navigate(withSearch(`/picture/${chosenIds()[0]}`, view)),
    compare: () => navigate(withSearch(`/compare/${chosenIds().slice(0, 2).join("/")}`, view)),
    write: () => change("write"),
    reject: () => change("reject"),
    restore: () => change("restore"),
    move: () => setAsking("move"),
    delete: () => (count > MANY ? setAsking("delete") : change("delete")),
    score: async () => {
      if (selection.all) await list.want(total); // scoring goes by ids alone
      await scorePictures(
        list.pictures.items.filter(({ id }) => isSelected(selection, id)).map(({ id }) => id),
        true,
      );
    },
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !isInGrid(event.target)) return;
    const command = available.find((name) => commands[name].key.toLowerCase() === event.key.toLowerCase());
    if (!command || event.key === "Enter") return; // Enter opens the picture with the focus, chosen or not
    event.preventDefault();
    void run[command]();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it only listens to the keys of the grid within it
    <div onKeyDown={onKeyDown}>
      {children}
      <SelectionBar
        count={count}
        available={available}
        onCommand={(command) => void run[command]()}
        onClear={() => onSelect(nothing)}
      />
      <MoveDialog
        opened={asking === "move"}
        onClose={() => setAsking(undefined)}
        count={count}
        onMove={(to) => void change("move", to)}
      />
      <DeleteDialog
        opened={asking === "delete"}
        onClose={() => setAsking(undefined)}
        count={count}
        onDelete={() => void change("delete")}
      />
    </div>
  );
}

function availableFor(count: number, rejected: boolean): Command[] {
  const sized: Command[] = count === 1 ? ["open"] : count === 2 ? ["compare"] : [];
  return count === 0 ? [] : [...sized, "write", "score", rejected ? "restore" : "reject", "move", "delete"];
}

const isInGrid = (target: EventTarget) => (target as Element).closest("[role=grid]") !== null;
