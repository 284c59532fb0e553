// How the page looks: Mantine's theme. Colours that carry meaning (buckets, ground) are variables in theme.css.

import { createTheme, type MantineColorsTuple } from "@mantine/core";

/** The accent, a painter's violet: kept apart from the green, amber and red of the scores. White on shade 6 has a contrast of 6.3. */
const violet: MantineColorsTuple = [
  "#f2f0fc",
  "#e2ddf7",
  "#c5bcee",
  "#a799e5",
  "#8d7bdd",
  "#7765d4",
  "#5b4bc4",
  "#4d3eac",
  "#403492",
  "#322976",
];

/** Mantine's greys of the dark scheme, with a breath of the accent, so that fields and grounds are of one kind. */
const dark: MantineColorsTuple = [
  "#dedce8",
  "#c2bfcf",
  "#a9a6b8",
  "#8b889c",
  "#474453",
  "#393644",
  "#292832",
  "#1f1e26",
  "#16151b",
  "#101014",
];

const overlay = {
  closeButtonProps: { "aria-label": "Close" },
  overlayProps: { backgroundOpacity: 0.45 },
  attributes: { header: { role: "presentation" } }, // to axe it would be a second banner of the page
  styles: { title: { fontSize: "1.125rem", fontWeight: 650 } },
};

export const theme = createTheme({
  primaryColor: "violet",
  primaryShade: { light: 6, dark: 6 },
  colors: { violet, dark },
  defaultRadius: "md",
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', sans-serif",
  fontFamilyMonospace: "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace",
  headings: { fontWeight: "650", sizes: { h1: { fontSize: "1.5rem" }, h2: { fontSize: "1.125rem" } } },
  respectReducedMotion: true,
  cursorType: "pointer",
  components: {
    Modal: { defaultProps: overlay },
    Drawer: { defaultProps: overlay },
  },
});
