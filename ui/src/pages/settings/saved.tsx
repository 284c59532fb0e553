import { Text } from "@mantine/core";
import { IconCheck } from "@tabler/icons-react";
import classes from "./saved.module.css";

/** Beside a field, for a moment. */
export const Saved = ({ saved }: { saved: boolean }) => (
  <Text span size="xs" role="status" className={classes.saved}>
    {saved && (
      <>
        <IconCheck size={14} aria-hidden /> Saved
      </>
    )}
  </Text>
);
