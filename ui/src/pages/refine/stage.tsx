// A picture, or two in one place with a line between them that a mouse, a finger or the arrow keys move.

import { type CSSProperties, type PointerEvent, type SyntheticEvent, useState } from "react";
import { isSmall } from "../../components/pictureFrame.tsx";
import classes from "./stage.module.css";

export interface StageProps {
  readonly src: string;
  /** As its label and for those who hear it. */
  readonly name: string;
  readonly alt: string;
  /** What it is compared with. */
  readonly before?: string | undefined;
}

export function Stage({ src, name, alt, before }: StageProps) {
  const [size, setSize] = useState({ width: 1, height: 1 });
  const measure = ({ currentTarget: { naturalWidth, naturalHeight } }: SyntheticEvent<HTMLImageElement>) =>
    setSize({ width: naturalWidth, height: naturalHeight });
  return (
    <div
      className={classes.stage}
      style={{ "--ratio": size.width / size.height } as CSSProperties}
      data-small={isSmall(size.width, size.height) || undefined}
    >
      <img src={src} alt={alt} onLoad={measure} draggable={false} />
      {before !== undefined && <Compared before={before} name={name} />}
      <span className={classes.name} data-side="right" aria-hidden>
        {name}
      </span>
    </div>
  );
}

function Compared({ before, name }: { before: string; name: string }) {
  const [share, setShare] = useState(50);
  return (
    <>
      <img src={before} alt="Before" draggable={false} style={{ clipPath: `inset(0 ${100 - share}% 0 0)` }} />
      <span className={classes.name} data-side="left" aria-hidden>
        Before
      </span>
      <input
        type="range"
        className={classes.range}
        aria-label={`Compare before and ${name.toLowerCase()}`}
        aria-valuetext={`${Math.round(share)} % before`}
        min={0}
        max={100}
        step={1}
        value={share}
        onChange={({ currentTarget: { valueAsNumber } }) => setShare(valueAsNumber)}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          setShare(shareAt(event));
        }}
        onPointerMove={(event) => event.buttons > 0 && setShare(shareAt(event))}
      />
      <span className={classes.line} style={{ left: `${share}%` }} aria-hidden />
    </>
  );
}

/** A native range moves only when its thumb is caught, and its thumb stops short of the ends. */
function shareAt({ clientX, currentTarget }: PointerEvent<HTMLInputElement>): number {
  const { left, width } = currentTarget.getBoundingClientRect();
  return Math.min(100, Math.max(0, ((clientX - left) / width) * 100));
}
