import type { ReactNode } from "react";
import classes from "./fold.module.css";

/** What only some need, folded away until it is asked for. */
export function Fold({ title, open, children }: { title: string; open?: boolean; children: ReactNode }) {
  return (
    <details className={classes.fold} open={open}>
      <summary>{title}</summary>
      <div>{children}</div>
    </details>
  );
}
