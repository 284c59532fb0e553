// Who may work next: there is one processor to work with, and several who want it. Work is cut into turns, a step of a refine or a few
// pictures to score, and between two turns whoever matters more goes first.

/** What waits for its turns. */
export interface Task {
  /** The larger goes first. */
  readonly priority: number;
  readonly client: string;
  /** Works for a short while; true where there is more to do. It never throws: what fails is the task's own affair. */
  turn(): Promise<boolean>;
}

/** Who has waited so long goes before all others: nobody starves. */
const patienceMs = 3_000;

interface Waiting {
  readonly task: Task;
  /** Since its coming, or its last turn. */
  since: number;
}

export class Turns {
  readonly #waiting: Waiting[] = [];
  /** When each client had its last turn. */
  readonly #served = new Map<string, number>();
  readonly #now: () => number;
  #running = false;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  get length(): number {
    return this.#waiting.length;
  }

  add(task: Task): void {
    this.#waiting.push({ task, since: this.#now() });
    if (!this.#running) void this.#run();
  }

  /** Takes a task out whose turn it is not; false where it has gone or is at work. */
  remove(task: Task): boolean {
    const at = this.#waiting.findIndex((waiting) => waiting.task === task);
    if (at >= 0) this.#waiting.splice(at, 1);
    return at >= 0;
  }

  async #run(): Promise<void> {
    this.#running = true;
    await null; // what comes together is chosen from together
    for (let next = this.#choose(); next; next = this.#choose()) {
      this.remove(next.task);
      this.#served.set(next.task.client, this.#now());
      if (await next.task.turn()) this.#waiting.push({ task: next.task, since: this.#now() });
      else if (this.#waiting.length === 0) this.#served.clear();
    }
    this.#running = false;
  }

  /** Who has waited too long; else by priority, then the client that was served longest ago, then who came first. */
  #choose(): Waiting | undefined {
    const now = this.#now();
    const longest = least(this.#waiting, ({ since }) => [since]);
    if (longest && now - longest.since > patienceMs) return longest;
    return least(this.#waiting, ({ task, since }) => [
      -task.priority,
      this.#served.get(task.client) ?? Number.NEGATIVE_INFINITY,
      since,
    ]);
  }
}

/** The item whose numbers are least, the first of them deciding first. */
function least<T>(items: readonly T[], numbersOf: (item: T) => readonly number[]): T | undefined {
  let found: { item: T; numbers: readonly number[] } | undefined;
  for (const item of items) {
    const numbers = numbersOf(item);
    if (!found || isLess(numbers, found.numbers)) found = { item, numbers };
  }
  return found?.item;
}

function isLess(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, i) => value !== b[i]);
  return at >= 0 && a[at]! < b[at]!;
}
