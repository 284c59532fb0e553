import { Page } from "../../components/page.tsx";

export function PicturePage() {
  return <Page title="Picture">{null}</Page>;
}
