// Pictures dropped or pasted on any page lead to Drop.

import { useEffect, useState } from "react";
import { useLocation } from "wouter";
import { offer } from "../pages/drop/dropped.ts";
import classes from "./shell.module.css";

export function DropAnywhere() {
  const [over, setOver] = useState(false);
  const [, navigate] = useLocation();

  useEffect(() => {
    const take = (files: FileList | undefined) => {
      if (!files?.length) return;
      offer([...files]);
      navigate("/drop");
    };
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const onDragOver = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const onLeave = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false); // out of the window
    };
    const onDrop = (event: DragEvent) => {
      setOver(false);
      if (!hasFiles(event) || event.defaultPrevented) return;
      event.preventDefault();
      take(event.dataTransfer?.files);
    };
    const onPaste = (event: ClipboardEvent) => take(event.clipboardData?.files);
    document.addEventListener("dragover", onDragOver);
    document.addEventListener("dragleave", onLeave);
    document.addEventListener("drop", onDrop);
    document.addEventListener("paste", onPaste);
    return () => {
      document.removeEventListener("dragover", onDragOver);
      document.removeEventListener("dragleave", onLeave);
      document.removeEventListener("drop", onDrop);
      document.removeEventListener("paste", onPaste);
    };
  }, [navigate]);

  return over && <div className={classes.dropping}>Drop the pictures to score them; nothing is stored.</div>;
}
