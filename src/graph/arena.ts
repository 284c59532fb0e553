// onnxruntime's memory arena (core/framework/bfc_arena.cc at 1.30, after TensorFlow's): best fit with coalescing, in regions
// that double. Followed here in numbers alone, to know beforehand how much of it a run will touch.

const smallest = 256;
const firstRegion = 2 ** 20;
const largestStep = 2 ** 30;
/** A free chunk that would leave more than this unused is split. */
const largestWaste = 128 * 2 ** 20;

export interface Chunk {
  readonly region: Region;
  readonly start: number;
  size: number;
  free: boolean;
  before: Chunk | undefined;
  after: Chunk | undefined;
}

interface Region {
  /** Regions are numbered as they come; the system gives each a lower address than the last. */
  readonly number: number;
  /** How far it has ever been written: pages beyond are not resident. */
  touched: number;
}

export class Arena {
  readonly #free = new Set<Chunk>();
  #nextRegion = firstRegion;
  #regions = 0;
  /** Bytes that have ever been written. */
  resident = 0;

  allocate(bytes: number): Chunk {
    const size = Math.max(smallest, Math.ceil(bytes / smallest) * smallest);
    const chunk = this.#bestFit(size) ?? this.#extend(size);
    this.#free.delete(chunk);
    chunk.free = false;
    if (chunk.size >= 2 * size || chunk.size - size >= largestWaste) this.#split(chunk, size);
    const end = chunk.start + size;
    if (end > chunk.region.touched) {
      this.resident += end - chunk.region.touched;
      chunk.region.touched = end;
    }
    return chunk;
  }

  release(chunk: Chunk): void {
    chunk.free = true;
    let whole = chunk;
    if (whole.after?.free) this.#join(whole, whole.after);
    if (whole.before?.free) {
      this.#join(whole.before, whole);
      whole = whole.before;
    }
    this.#free.add(whole);
  }

  /** The smallest that suffices, of those of one size the one at the lowest address. */
  #bestFit(size: number): Chunk | undefined {
    let best: Chunk | undefined;
    for (const chunk of this.#free) if (chunk.size >= size && (!best || before(chunk, best))) best = chunk;
    return best;
  }

  #extend(size: number): Chunk {
    const grown = size > this.#nextRegion;
    while (size > this.#nextRegion) this.#nextRegion *= 2;
    const chunk: Chunk = {
      region: { number: this.#regions++, touched: 0 },
      start: 0,
      size: this.#nextRegion,
      free: true,
      before: undefined,
      after: undefined,
    };
    if (!grown) this.#nextRegion = Math.min(2 * this.#nextRegion, Math.max(largestStep, this.#nextRegion));
    return chunk;
  }

  #split(chunk: Chunk, size: number): void {
    const { region, start, after } = chunk;
    const rest: Chunk = { region, start: start + size, size: chunk.size - size, free: true, before: chunk, after };
    if (after) after.before = rest;
    chunk.after = rest;
    chunk.size = size;
    this.#free.add(rest);
  }

  /** Two neighbours become the first of them. */
  #join(first: Chunk, second: Chunk): void {
    this.#free.delete(first);
    this.#free.delete(second);
    first.size += second.size;
    first.after = second.after;
    if (second.after) second.after.before = first;
  }
}

const before = (a: Chunk, b: Chunk): boolean =>
  (a.size - b.size || b.region.number - a.region.number || a.start - b.start) < 0;
