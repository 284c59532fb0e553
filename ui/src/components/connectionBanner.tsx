import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useConnected } from "../socket.ts";
import classes from "./shell.module.css";

const PATIENCE_MS = 1500; // a reload or a short hiccup needs no banner

/** Says when the server is away, and asks everything again once it is back. */
export function ConnectionBanner() {
  const connected = useConnected();
  const client = useQueryClient();
  const [away, setAway] = useState(false);
  const wasAway = useRef(false);

  useEffect(() => {
    if (!connected) {
      const timer = setTimeout(() => setAway(true), PATIENCE_MS);
      return () => clearTimeout(timer);
    }
    setAway(false);
    if (wasAway.current) void client.invalidateQueries();
    wasAway.current = true; // the next connection is a reconnection
  }, [connected, client]);

  return (
    <div role="status" aria-live="polite">
      {away && (
        <div className={classes.banner}>
          <strong>Renoir’s server does not answer.</strong> Trying again; what you see may be out of date.
        </div>
      )}
    </div>
  );
}
