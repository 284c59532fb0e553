import { Page } from "../../components/page.tsx";

export function LibraryPage() {
  return <Page title="Library">{null}</Page>;
}
