// A picture in a frame that keeps its place while it loads. Small pictures (the built-in world's are 32 to 64 pixels) show their pixels.

import { type CSSProperties, useState } from "react";
import classes from "./pictureFrame.module.css";

const SMALL = 128; // pixels on the longer side; above, smoothing looks better than squares

export const isSmall = (width: number | undefined, height: number | undefined) =>
  width !== undefined && height !== undefined && Math.max(width, height) <= SMALL;

export interface PictureFrameProps {
  readonly src: string;
  readonly alt: string;
  /** The picture's own size, where it is known: the frame has its proportions from the start. */
  readonly width?: number;
  readonly height?: number;
  /** `contain` shows all of it, `cover` fills the frame. */
  readonly fit?: "contain" | "cover";
  /** Waits until it comes into view. */
  readonly lazy?: boolean;
  readonly className?: string;
  readonly style?: CSSProperties;
}

export function PictureFrame({ src, alt, width, height, fit = "contain", lazy, className, style }: PictureFrameProps) {
  const [natural, setNatural] = useState({ width, height });
  const [broken, setBroken] = useState<string>();
  const proportions = width && height ? `${width} / ${height}` : undefined;
  return (
    <div className={`${classes.frame} ${className ?? ""}`} style={{ aspectRatio: proportions, ...style }}>
      {broken === src ? (
        <span className={classes.broken}>This picture can not be shown.</span>
      ) : (
        <img
          src={src}
          alt={alt}
          loading={lazy ? "lazy" : undefined}
          decoding="async"
          draggable={false}
          data-small={isSmall(width ?? natural.width, height ?? natural.height) || undefined}
          style={{ objectFit: fit }}
          onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) =>
            setNatural({ width: naturalWidth, height: naturalHeight })
          }
          onError={() => setBroken(src)}
        />
      )}
    </div>
  );
}
