// Two pictures in one place and a line between them that a mouse, a finger or the arrow keys move.

import { type ChangeEvent, type PointerEvent, type SyntheticEvent, useState } from "react";
import classes from "./beforeAfter.module.css";

export interface BeforeAfterProps {
  readonly before: string;
  readonly after: string;
  readonly beforeName?: string;
  readonly afterName: string;
}

/** Below this many pixels, smoothing would show a blur that is not in the picture. */
const small = 256;

export function BeforeAfter({ before, after, beforeName = "Before", afterName }: BeforeAfterProps) {
  const [share, setShare] = useState(50);
  const [pixelated, setPixelated] = useState(false);
  const [ratio, setRatio] = useState("1");
  const measure = ({ currentTarget: { naturalWidth, naturalHeight } }: SyntheticEvent<HTMLImageElement>) => {
    setPixelated(naturalWidth < small);
    setRatio(`${naturalWidth} / ${naturalHeight}`);
  };
  return (
    <div className={classes.frame} style={{ aspectRatio: ratio }} data-pixelated={pixelated || undefined}>
      <img src={after} alt={afterName} onLoad={measure} draggable={false} />
      <img src={before} alt={beforeName} draggable={false} style={{ clipPath: `inset(0 ${100 - share}% 0 0)` }} />
      <span className={classes.name} data-side="left" data-hidden={share < 12 || undefined} aria-hidden>
        {beforeName}
      </span>
      <span className={classes.name} data-side="right" data-hidden={share > 88 || undefined} aria-hidden>
        {afterName}
      </span>
      <input
        type="range"
        className={classes.range}
        aria-label={`Compare ${beforeName.toLowerCase()} and ${afterName.toLowerCase()}`}
        aria-valuetext={`${Math.round(share)} % ${beforeName.toLowerCase()}`}
        min={0}
        max={100}
        step={1}
        value={share}
        onChange={(event: ChangeEvent<HTMLInputElement>) => setShare(event.currentTarget.valueAsNumber)}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          setShare(shareAt(event));
        }}
        onPointerMove={(event) => event.buttons > 0 && setShare(shareAt(event))}
      />
      <span className={classes.line} style={{ left: `${share}%` }} aria-hidden />
    </div>
  );
}

/** A native range moves only when its thumb is caught, and its thumb stops short of the ends. */
function shareAt({ clientX, currentTarget }: PointerEvent<HTMLInputElement>): number {
  const { left, width } = currentTarget.getBoundingClientRect();
  return Math.min(100, Math.max(0, ((clientX - left) / width) * 100));
}
