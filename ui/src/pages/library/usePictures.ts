// The lists that were looked at last: going to a picture and back finds the library as it was left.

import { useEffect, useMemo, useSyncExternalStore } from "react";
import { isAlive } from "../../components/jobsButton.tsx";
import { queryClient } from "../../queries.ts";
import { socket } from "../../socket.ts";
import { PictureList, type Pictures } from "./pictureList.ts";
import { readView, type View, writeView } from "./view.ts";

const KEPT = 4;
const COUNT_MS = 1500; // while scores come by the hundred, histogram and counts follow so often
const lists = new Map<string, PictureList>();

function listFor(key: string): PictureList {
  const list = lists.get(key) ?? new PictureList(readView(key));
  lists.delete(key);
  lists.set(key, list); // the latest goes last
  for (const old of [...lists.keys()].slice(0, -KEPT)) lists.delete(old);
  return list;
}

/** Asks again for whatever of the library is shown: lists, histogram, facets, pictures. */
export function refreshLibrary(): void {
  for (const list of lists.values()) list.refresh();
  void queryClient.invalidateQueries({ queryKey: ["library"] });
}

socket.on("library:changed", () => {
  for (const list of lists.values()) list.refreshSoon();
  countSoon();
});
socket.on("library:scored", ({ id, scores }) => {
  for (const list of lists.values()) list.score(id, scores);
  countSoon();
});
socket.on("jobs:changed", (job) => {
  if (job.kind === "score" && !isAlive(job)) refreshLibrary(); // the order by score has changed
});
socket.io.on("reconnect", refreshLibrary);

let counting = false;
function countSoon(): void {
  if (counting) return;
  counting = true;
  setTimeout(() => {
    counting = false;
    void queryClient.invalidateQueries({ queryKey: ["library"] });
  }, COUNT_MS);
}

export function usePictures(view: View): { list: PictureList } & Pictures {
  const key = writeView(view);
  const list = useMemo(() => listFor(key), [key]);
  useEffect(() => void list.want(1), [list]);
  return { list, ...useSyncExternalStore(list.subscribe, () => list.pictures) };
}
