import { Page } from "../../components/page.tsx";

export function HostsPage() {
  return <Page title="Hosts">{null}</Page>;
}
