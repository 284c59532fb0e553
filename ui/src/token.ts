// A server that listens on other addresses than loopback wants a token: it comes in the page's own address, once.

const KEY = "renoir-token";

/** Kept for this tab, and taken out of the address so that it is not copied or bookmarked along. */
export function takeToken(): void {
  const url = new URL(location.href);
  const given = url.searchParams.get("token");
  if (given === null) return;
  sessionStorage.setItem(KEY, given);
  url.searchParams.delete("token");
  history.replaceState(history.state, "", url);
}

export const token = () => sessionStorage.getItem(KEY);
