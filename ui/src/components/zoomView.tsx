// A picture to look into: wheel or pinch zooms around the pointer, dragging moves. Who holds the view can give it to two of them.

import { ActionIcon, Group, Text } from "@mantine/core";
import { useElementSize, useHotkeys, useMergedRef } from "@mantine/hooks";
import { IconArrowsMaximize, IconMinus, IconPlus } from "@tabler/icons-react";
import { type PointerEvent, useEffect, useEffectEvent, useRef } from "react";
import { isSmall } from "./pictureFrame.tsx";
import classes from "./zoomView.module.css";

export interface Zoom {
  /** 1: as large as fits. */
  readonly zoom: number;
  /** What of the picture is in the middle, 0..1 across and down. */
  readonly x: number;
  readonly y: number;
}

export const fitted: Zoom = { zoom: 1, x: 0.5, y: 0.5 };

const MOST = 40;
const STEP = 1.4;

export interface ZoomViewProps {
  readonly src: string;
  readonly alt: string;
  readonly width: number;
  readonly height: number;
  readonly view: Zoom;
  readonly onView: (view: Zoom) => void;
  readonly className?: string;
}

export function ZoomView({ src, alt, width, height, view, onView, className }: ZoomViewProps) {
  const { ref: sized, width: boxWidth, height: boxHeight } = useElementSize<HTMLDivElement>();
  const box = useRef<HTMLDivElement>(null);
  const fit = Math.min(boxWidth / width, boxHeight / height) || 0;
  const shownWidth = width * fit * view.zoom;
  const shownHeight = height * fit * view.zoom;

  const change = ({ zoom, x, y }: Zoom) => {
    const clamped = Math.min(MOST, Math.max(1, zoom));
    onView({
      zoom: clamped,
      x: within(x, boxWidth / (width * fit * clamped)),
      y: within(y, boxHeight / (height * fit * clamped)),
    });
  };
  /** What lies under that point of the window stays under it. */
  const zoomAt = (clientX: number, clientY: number, factor: number) => {
    const { left, top } = box.current!.getBoundingClientRect();
    const zoom = Math.min(MOST, Math.max(1, view.zoom * factor));
    const shift = 1 / view.zoom - 1 / zoom;
    change({
      zoom,
      x: view.x + ((clientX - left - boxWidth / 2) / (width * fit)) * shift,
      y: view.y + ((clientY - top - boxHeight / 2) / (height * fit)) * shift,
    });
  };
  const moveBy = (dx: number, dy: number) =>
    change({ ...view, x: view.x - dx / shownWidth, y: view.y - dy / shownHeight });

  useWheel(box, ({ clientX, clientY, deltaY }) => zoomAt(clientX, clientY, Math.exp(-deltaY / 400)));
  const fingers = useFingers(moveBy, zoomAt);
  return (
    <div
      ref={useMergedRef(sized, box)}
      className={`${classes.box} ${className ?? ""}`}
      data-zoomed={view.zoom > 1 || undefined}
      {...fingers}
    >
      <img
        src={src}
        alt={alt}
        draggable={false}
        data-small={isSmall(width, height) || (fit * view.zoom > 4 ? true : undefined)}
        style={{
          width: shownWidth,
          height: shownHeight,
          transform: `translate(${boxWidth / 2 - view.x * shownWidth}px, ${boxHeight / 2 - view.y * shownHeight}px)`,
        }}
      />
      <Text className={classes.percent} size="xs">
        {Math.round(100 * fit * view.zoom)} %
      </Text>
    </div>
  );
}

/** For hands that have no wheel; the keys + − 0 do the same. */
export function ZoomButtons({ view, onView }: Pick<ZoomViewProps, "view" | "onView">) {
  const by = (factor: number) => () => {
    const zoom = Math.min(MOST, Math.max(1, view.zoom * factor));
    onView(zoom === 1 ? fitted : { ...view, zoom });
  };
  const buttons = [
    { label: "Zoom out", icon: IconMinus, act: by(1 / STEP), key: "-" },
    { label: "Fit", icon: IconArrowsMaximize, act: () => onView(fitted), key: "0" },
    { label: "Zoom in", icon: IconPlus, act: by(STEP), key: "+" },
  ];
  useHotkeys([
    ["-", by(1 / STEP)],
    ["0", () => onView(fitted)],
    ["[plus]", by(STEP)],
    ["shift+[plus]", by(STEP)],
    ["=", by(STEP)],
  ]);
  return (
    <Group gap={4} wrap="nowrap">
      {buttons.map(({ label, icon: Icon, act, key }) => (
        <ActionIcon key={label} variant="default" size="lg" aria-label={label} aria-keyshortcuts={key} onClick={act}>
          <Icon size={18} aria-hidden />
        </ActionIcon>
      ))}
    </Group>
  );
}

/** The middle can go no nearer to the edge than the half of what is in view; `inView`: that share of the picture. */
const within = (middle: number, inView: number) =>
  inView >= 1 ? 0.5 : Math.min(1 - inView / 2, Math.max(inView / 2, middle));

/** React listens to the wheel passively, and then the page would scroll along. */
function useWheel(box: React.RefObject<HTMLDivElement | null>, onWheel: (event: WheelEvent) => void): void {
  const latest = useEffectEvent(onWheel);
  useEffect(() => {
    const element = box.current!;
    const listener = (event: WheelEvent) => {
      event.preventDefault();
      latest(event);
    };
    element.addEventListener("wheel", listener, { passive: false });
    return () => element.removeEventListener("wheel", listener);
  }, [box]);
}

type Point = { x: number; y: number };

/** One finger (or the mouse) moves, two zoom around what is between them. */
function useFingers(moveBy: (dx: number, dy: number) => void, zoomAt: (x: number, y: number, factor: number) => void) {
  const down = useRef(new Map<number, Point>());
  const pointOf = ({ clientX, clientY }: PointerEvent): Point => ({ x: clientX, y: clientY });
  const lift = ({ pointerId }: PointerEvent) => void down.current.delete(pointerId);
  return {
    onPointerDown: (event: PointerEvent<HTMLDivElement>) => {
      event.currentTarget.setPointerCapture(event.pointerId);
      down.current.set(event.pointerId, pointOf(event));
    },
    onPointerMove: (event: PointerEvent<HTMLDivElement>) => {
      const before = down.current.get(event.pointerId);
      if (!before) return;
      const now = pointOf(event);
      const other = [...down.current].find(([id]) => id !== event.pointerId)?.[1];
      down.current.set(event.pointerId, now);
      if (!other) moveBy(now.x - before.x, now.y - before.y);
      else
        zoomAt(
          (now.x + other.x) / 2,
          (now.y + other.y) / 2,
          distance(now, other) / Math.max(1, distance(before, other)),
        );
    },
    onPointerUp: lift,
    onPointerCancel: lift,
  };
}

const distance = (a: Point, b: Point) => Math.hypot(a.x - b.x, a.y - b.y);
