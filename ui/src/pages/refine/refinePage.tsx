import { Page } from "../../components/page.tsx";

export function RefinePage() {
  return <Page title="Refine">{null}</Page>;
}
