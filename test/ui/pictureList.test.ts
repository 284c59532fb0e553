import { expect, test, vi } from "vitest";
import type { LibraryItem, LibraryPage } from "../../src/server/api/library.ts";
import { PictureList } from "../../ui/src/pages/library/pictureList.ts";

type Query = { cursor?: string | undefined; limit?: number | undefined };

/** A library of so many pictures, and what it was asked. */
function libraryOf(count: number) {
  const asked: Query[] = [];
  const library = { count, failing: false };
  const fetchPage = async ({ cursor, limit = 100 }: Query): Promise<LibraryPage> => {
    asked.push({ cursor, limit });
    if (library.failing) throw new Error("away");
    const from = Number(cursor ?? 0);
    const to = Math.min(library.count, from + limit);
    const items = Array.from({ length: to - from }, (_, i) => ({ id: `p${from + i}`, scores: {} }) as LibraryItem);
    return { items, next: to < library.count ? String(to) : null, total: library.count };
  };
  return { library, asked, list: new PictureList({}, fetchPage) };
}

const ids = (list: PictureList) => list.pictures.items.map(({ id }) => id);

test("the first page comes alone, the next when it is looked at", async () => {
  const { list, asked } = libraryOf(1000);
  await list.want(1);
  expect([list.pictures.items.length, list.pictures.total]).toEqual([200, 1000]);
  await list.want(201);
  expect(list.pictures.items.length).toBe(400);
  expect(asked.map(({ cursor }) => cursor)).toEqual([undefined, "200"]);
});

test("who goes to the end gets there by large pages, each picture once", async () => {
  const { list, asked } = libraryOf(4321);
  await list.want(1);
  await list.want(4321);
  expect(new Set(ids(list)).size).toBe(4321);
  expect(asked.length).toBe(6); // 200, then by the thousand
});

test("a refresh shows nothing less on the way, and what came at its end", async () => {
  const { library, list } = libraryOf(1500);
  await list.want(1500);
  const lengths: number[] = [];
  list.subscribe(() => lengths.push(list.pictures.items.length));
  library.count = 1501;
  list.refresh();
  await vi.waitFor(() => expect(list.pictures.total).toBe(1501));
  expect(Math.min(...lengths)).toBeGreaterThanOrEqual(1500);
});

test("scores that come while nobody asks change the picture in its place", async () => {
  const { list } = libraryOf(3);
  await list.want(1);
  list.score("p1", { ImageReward: 0.5 });
  list.score("p1", { ImageReward: 0.7 });
  await vi.waitFor(() => expect(list.pictures.items[1]!.scores).toEqual({ ImageReward: 0.7 }));
  expect(list.pictures.items[0]!.scores).toEqual({});
});

test("a failure is shown beside what was there, and the next look tries again", async () => {
  const { library, list } = libraryOf(300);
  await list.want(1);
  library.failing = true;
  await list.want(300);
  expect([list.pictures.items.length, String(list.pictures.error)]).toEqual([200, "Error: away"]);
  library.failing = false;
  await list.want(300);
  expect([list.pictures.items.length, list.pictures.error]).toEqual([300, undefined]);
});
