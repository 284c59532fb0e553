import { Page } from "../../components/page.tsx";

export function DropPage() {
  return <Page title="Drop">{null}</Page>;
}
