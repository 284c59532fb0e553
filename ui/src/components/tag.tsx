import type { ReactNode } from "react";
import classes from "./tag.module.css";

export type TagTone = "accent" | "good" | "warning" | "bad" | "plain";

/** A word or two about the thing beside it. */
export const Tag = ({ tone = "plain", children }: { tone?: TagTone; children: ReactNode }) => (
  <span className={classes.tag} data-tone={tone}>
    {children}
  </span>
);
