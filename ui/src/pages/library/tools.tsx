// Above the grid: search, order, how many there are, and what goes for all of them.

import { ActionIcon, Menu, Select, Text, TextInput } from "@mantine/core";
import { useDebouncedCallback, useDisclosure, useHotkeys } from "@mantine/hooks";
import {
  IconDots,
  IconDownload,
  IconKeyboard,
  IconRefresh,
  IconSearch,
  IconSelectAll,
  IconSparkles,
} from "@tabler/icons-react";
import { useEffect, useRef, useState } from "react";
import { api } from "../../api.ts";
import { sayError } from "../../components/toasts.tsx";
import { pictures, scorePictures } from "./actions.tsx";
import { KeysDialog } from "./dialogs.tsx";
import classes from "./libraryPage.module.css";
import { everything, type Selection } from "./selection.ts";
import type { View } from "./view.ts";

const TYPING_MS = 250;

const orders = [
  { value: "-date", label: "Newest first" },
  { value: "date", label: "Oldest first" },
  { value: "-score", label: "Best score first" },
  { value: "score", label: "Weakest score first" },
  { value: "name", label: "By name" },
  { value: "prompt", label: "By prompt" },
  { value: "model", label: "By model" },
  { value: "host", label: "By host" },
  { value: "seed", label: "By seed" },
  { value: "-size", label: "Largest first" },
];

export interface ToolsProps {
  readonly view: View;
  readonly onView: (view: View, goingOn?: boolean) => void;
  readonly total: number | undefined;
  readonly onSelect: (selection: Selection) => void;
}

export function Tools({ view, onView, total, onSelect }: ToolsProps) {
  return (
    <div className={classes.tools}>
      <Search view={view} onView={onView} />
      <Select
        aria-label="Order"
        data={orders}
        value={view.sort ?? "-date"}
        allowDeselect={false}
        onChange={(sort) => onView({ ...view, sort: sort ?? undefined })}
        className={classes.order}
        comboboxProps={{ withinPortal: false }}
        maxDropdownHeight={420} // all of them: nothing to scroll
      />
      <Text className={classes.count} role="status">
        {total === undefined ? "…" : pictures(total)}
      </Text>
      <More view={view} onSelect={onSelect} />
    </div>
  );
}

function Search({ view, onView }: Pick<ToolsProps, "view" | "onView">) {
  const field = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(view.text ?? "");
  const latest = useRef(view);
  latest.current = view;
  const sent = useRef(view.text);
  const search = useDebouncedCallback((words: string) => {
    sent.current = words || undefined;
    onView({ ...latest.current, text: sent.current }, latest.current.text !== undefined);
  }, TYPING_MS);
  useEffect(() => {
    if (view.text === sent.current) return;
    sent.current = view.text; // by "back", or by clearing all filters
    setText(view.text ?? "");
  }, [view.text]);
  useHotkeys([["/", () => field.current?.focus()]]);
  return (
    <TextInput
      ref={field}
      type="search"
      aria-label="Search prompts, names and settings"
      placeholder="Search prompts, names, settings"
      leftSection={<IconSearch size={18} aria-hidden />}
      className={classes.search}
      value={text}
      onChange={({ currentTarget: { value } }) => {
        setText(value);
        search(value);
      }}
    />
  );
}

function More({ view, onSelect }: Pick<ToolsProps, "view" | "onSelect">) {
  const [helping, { open, close }] = useDisclosure();
  useHotkeys([
    ["?", open],
    ["shift+?", open], // where it takes Shift to type it
  ]);
  return (
    <>
      <Menu position="bottom-end" shadow="md" withinPortal={false} withInitialFocusPlaceholder={false}>
        <Menu.Target>
          <ActionIcon variant="default" size="input-sm" aria-label="More for these pictures">
            <IconDots size={20} aria-hidden />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconSelectAll size={18} aria-hidden />} onClick={() => onSelect(everything)}>
            Choose all
          </Menu.Item>
          <Menu.Item
            leftSection={<IconSparkles size={18} aria-hidden />}
            onClick={() => void scorePictures(undefined, false)}
          >
            Score what has no score yet
          </Menu.Item>
          <Menu.Item
            leftSection={<IconRefresh size={18} aria-hidden />}
            onClick={() => void api.scan().catch(sayError)}
          >
            Look through the folders again
          </Menu.Item>
          <Menu.Divider />
          {(["csv", "json"] as const).map((format) => (
            <Menu.Item
              key={format}
              component="a"
              href={api.exportUrl({ ...view, format })}
              download
              leftSection={<IconDownload size={18} aria-hidden />}
            >
              Export these as {format.toUpperCase()}
            </Menu.Item>
          ))}
          <Menu.Divider />
          <Menu.Item leftSection={<IconKeyboard size={18} aria-hidden />} onClick={open}>
            Keys
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <KeysDialog opened={helping} onClose={close} />
    </>
  );
}
