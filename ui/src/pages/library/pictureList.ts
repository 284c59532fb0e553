// The pictures of a view, fetched page after page as far as someone looks, and kept while the page stays open.

import type { LibraryItem } from "../../../../src/server/api/library.ts";
import { api } from "../../api.ts";
import type { View } from "./view.ts";

const PAGE = 200;
const FAR_PAGE = 1000; // the server's most: for who drags the scrollbar to the end, since a cursor leads only from page to page
const PATIENCE_MS = 100; // scores come by the hundred; the list is shown anew ten times a second at most
const REST_MS = 1500; // between two looks at a library that keeps changing, as in a scan

export interface Pictures {
  readonly items: readonly LibraryItem[];
  /** How many there are; undefined until the first page has come. */
  readonly total: number | undefined;
  readonly error: unknown;
}

export class PictureList {
  readonly view: View;
  /** Where the page was scrolled to when it was left. */
  scroll = 0;
  pictures: Pictures = { items: [], total: undefined, error: undefined };

  #next: string | null = null;
  #wanted = 0;
  #stale = true;
  #fetched = 0;
  #soon: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> | undefined;
  readonly #fetchPage: typeof api.library;
  readonly #scored = new Map<string, LibraryItem["scores"]>();
  readonly #listeners = new Set<() => void>();

  constructor(view: View, fetchPage: typeof api.library = api.library) {
    this.view = view;
    this.#fetchPage = fetchPage;
  }

  subscribe = (listener: () => void) => {
    this.#listeners.add(listener);
    void this.#run(); // what became stale while nobody looked
    return () => void this.#listeners.delete(listener);
  };

  /** Fetches on until so many are there. */
  want(upTo: number): Promise<void> {
    this.#wanted = Math.max(this.#wanted, upTo);
    return this.#run();
  }

  /** Asks again for what is shown; until the answer is there, it stays as it is. */
  refresh(): void {
    this.#stale = true;
    if (this.#listeners.size > 0) void this.#run();
  }

  /** The library has changed, and may go on changing: it is asked again, but not all the time. */
  refreshSoon(): void {
    this.#soon ??= setTimeout(
      () => {
        this.#soon = undefined;
        this.refresh();
      },
      Math.max(0, this.#fetched + REST_MS - Date.now()),
    );
  }

  /** A picture was scored: its badge changes at once, its place when the list is fetched anew. */
  score(id: string, scores: LibraryItem["scores"]): void {
    if (this.#scored.size === 0) setTimeout(() => this.#applyScores(), PATIENCE_MS);
    this.#scored.set(id, scores);
  }

  #applyScores(): void {
    const items = this.pictures.items.map((item) => {
      const scores = this.#scored.get(item.id);
      return scores ? { ...item, scores: { ...item.scores, ...scores } } : item;
    });
    this.#scored.clear();
    this.#show({ ...this.pictures, items });
  }

  /** One at a time; who comes while it goes on is served by it. */
  async #run(): Promise<void> {
    if (this.#hasWork()) this.#running ??= this.#fetchOn();
    await this.#running;
  }

  async #fetchOn(): Promise<void> {
    try {
      while (this.#hasWork()) {
        if (this.#stale) await this.#begin();
        else this.#show(await this.#goOn(this.pictures.items));
      }
    } catch (error) {
      this.#show({ ...this.pictures, error });
    } finally {
      this.#running = undefined;
    }
  }

  #hasWork = () => this.#stale || this.#lacks(this.pictures.items);

  #lacks = (items: readonly LibraryItem[]) => this.#next !== null && items.length < this.#wanted;

  /** From the first page to where the list had come, and only then shown: nothing jumps for who has scrolled far. */
  async #begin(): Promise<void> {
    this.#stale = false;
    const reached = this.pictures.items.length;
    try {
      let fresh = await this.#goOn([], null);
      while (fresh.items.length < reached && this.#lacks(fresh.items)) fresh = await this.#goOn(fresh.items);
      this.#show(fresh);
    } catch (error) {
      this.#stale = true; // the next look tries again
      throw error;
    } finally {
      this.#fetched = Date.now();
    }
  }

  async #goOn(items: readonly LibraryItem[], cursor = this.#next): Promise<Pictures> {
    const limit = this.#wanted - items.length > PAGE ? FAR_PAGE : PAGE;
    const page = await this.#fetchPage({ ...this.view, cursor: cursor ?? undefined, limit });
    this.#next = page.next;
    return { items: [...items, ...page.items], total: page.total, error: undefined };
  }

  #show(pictures: Pictures): void {
    this.pictures = pictures;
    for (const listener of this.#listeners) listener();
  }
}
