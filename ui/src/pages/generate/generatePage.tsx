import { Page } from "../../components/page.tsx";

export function GeneratePage() {
  return <Page title="Generate">{null}</Page>;
}
