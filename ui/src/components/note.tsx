import { IconAlertTriangle, IconCheck, IconEye, IconInfoCircle } from "@tabler/icons-react";
import type { ReactNode } from "react";
import classes from "./note.module.css";
import type { NoteTone } from "./tone.ts";

const icons = { good: IconCheck, unsure: IconEye, warning: IconAlertTriangle, neutral: IconInfoCircle };

export interface NoteProps {
  readonly tone: NoteTone;
  readonly title: string;
  readonly children: ReactNode;
  /** Said aloud when it appears. */
  readonly said?: boolean;
}

/** Something to know, less than an error. */
export function Note({ tone, title, children, said }: NoteProps) {
  const Icon = icons[tone];
  return (
    <div className={classes.note} data-tone={tone} role={said ? "status" : undefined}>
      <Icon size={20} aria-hidden />
      <div>
        <strong>{title}</strong>
        {children}
      </div>
    </div>
  );
}
