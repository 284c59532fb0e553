// What can be done with the chosen pictures, over the lower edge of the window: it covers, so that nothing jumps.

import { Button, Text } from "@mantine/core";
import {
  IconArrowBackUp,
  IconColumns2,
  IconEye,
  IconFileCheck,
  IconFolderSymlink,
  IconRefresh,
  IconThumbDown,
  IconTrash,
  IconX,
} from "@tabler/icons-react";
import classes from "./selectionBar.module.css";

export const commands = {
  open: { label: "Open", icon: IconEye, key: "Enter" },
  compare: { label: "Compare", icon: IconColumns2, key: "C" },
  write: { label: "Write scores", icon: IconFileCheck, key: "W" },
  score: { label: "Score again", icon: IconRefresh, key: "S" },
  reject: { label: "Reject", icon: IconThumbDown, key: "X" },
  restore: { label: "Restore", icon: IconArrowBackUp, key: "X" },
  move: { label: "Move …", icon: IconFolderSymlink, key: "M" },
  delete: { label: "Delete", icon: IconTrash, key: "Delete" },
} as const;

export type Command = keyof typeof commands;

export interface SelectionBarProps {
  readonly count: number;
  readonly available: readonly Command[];
  readonly onCommand: (command: Command) => void;
  readonly onClear: () => void;
}

export function SelectionBar({ count, available, onCommand, onClear }: SelectionBarProps) {
  return (
    <section
      aria-label="Chosen pictures"
      className={classes.bar}
      data-open={count > 0 || undefined}
      inert={count === 0}
    >
      <Text fw={600} role="status" className={classes.count}>
        {count > 0 && `${count.toLocaleString()} chosen`}
      </Text>
      <div className={classes.commands}>
        {available.map((name) => {
          const { label, icon: Icon, key } = commands[name];
          return (
            <Button
              key={name}
              variant="subtle"
              color={name === "delete" ? "red" : undefined}
              size="compact-sm"
              leftSection={<Icon size={18} aria-hidden />}
              aria-keyshortcuts={key}
              onClick={() => onCommand(name)}
            >
              {label}
            </Button>
          );
        })}
        <Button
          variant="subtle"
          color="gray"
          size="compact-sm"
          leftSection={<IconX size={18} aria-hidden />}
          onClick={onClear}
        >
          Choose none
        </Button>
      </div>
    </section>
  );
}
