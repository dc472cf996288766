/** The state that accepts no more text. */
export const REFUSED = 0;

/** Larger tables do not fit into the processor cache. */
const PAIR_TABLE_BYTES_MAX = 2 * 1024 * 1024;
/** Building a larger table takes longer than it saves. */
const PAIR_CELLS_MAX = 4 * 1024 * 1024;

/** Builds the states of a `ByteAutomaton`. */
export class AutomatonBuilder {
  /** For each state, the next state by byte; the first one is `REFUSED`. */
  readonly #states: Int32Array[] = [new Int32Array(256)];

  get size(): number {
    return this.#states.length;
  }

  /** @returns a new state */
  state(): number {
    return this.#states.push(new Int32Array(256)) - 1;
  }

  on(from: number, byte: number, to: number): void {
    this.#states[from]![byte] = to;
  }

  /** Adds to a state the missing edges of another one. */
  copyEdges(from: number, to: number): void {
    const edges = this.#states[to]!;
    this.#states[from]!.forEach((next, byte) => {
      if (edges[byte] === REFUSED) edges[byte] = next;
    });
  }

  /** Adds an edge for all bytes except some; existing edges stay. */
  onOthers(from: number, except: readonly number[], to: number): void {
    const edges = this.#states[from]!;
    for (let byte = 0; byte < 256; byte++) {
      if (edges[byte] === REFUSED && !except.includes(byte)) edges[byte] = to;
    }
  }

  build(): ByteAutomaton {
    return new ByteAutomaton(this.#states);
  }
}

/**
 * A deterministic finite automaton over bytes that takes about a nanosecond per byte.
 *
 * Each lookup depends on the previous one, so bytes are looked up in pairs if the table of pairs fits into the processor
 * cache.
 */
export class ByteAutomaton {
  readonly #bytes: Table;
  readonly #pairs: Table | null;

  /** @param states for each state, the next state by byte */
  constructor(states: readonly Int32Array[]) {
    this.#bytes = tableOf(states.length, 256, (state, byte) => states[state]![byte]!)!;
    this.#pairs = pairTable(this.#bytes, states.length);
  }

  /** The state after one more byte. */
  step(state: number, byte: number): number {
    const { next, classes, width } = this.#bytes;
    return next[state * width + classes[byte]!]! / width;
  }

  /**
   * The state after some bytes of a buffer.
   * @param from the offset of the first byte
   */
  run(buffer: ArrayBuffer, from: number, to: number, state: number): number {
    const pairs = this.#pairs;
    const bytes = (first: number, end: number, before: number) =>
      runBytes(this.#bytes, new Uint8Array(buffer, first, end - first), before);
    const aligned = alignUp(from);
    const words = (to - aligned) >> 2;
    if (pairs === null || words <= 0) return bytes(from, to, state);
    const after = runPairs(pairs, new Int32Array(buffer, aligned, words), bytes(from, aligned, state));
    return bytes(aligned + 4 * words, to, after);
  }

  /**
   * The states after four consecutive parts of a buffer, each from its own state. Four independent runs take little longer
   * than one.
   */
  runFour(buffer: ArrayBuffer, [one, two, three, four, end]: Five, states: Four): Four {
    const pairs = this.#pairs;
    const ends: Four = [two, three, four, end];
    const each = (from: Four, to: Four, before: Four) =>
      before.map((state, at) => this.run(buffer, from[at]!, to[at]!, state)) as unknown as Four;
    const begins: Four = [alignUp(one), alignUp(two), alignUp(three), alignUp(four)];
    const words = Math.min(...ends.map((to, at) => (to - begins[at]!) >> 2));
    if (words <= 0) return each([one, two, three, four], ends, states);
    const aligned = each([one, two, three, four], begins, states);
    const after =
      pairs === null
        ? runFourByBytes(this.#bytes, new Uint8Array(buffer), begins, 4 * words, aligned)
        : runFourByPairs(pairs, new Int32Array(buffer, 0, buffer.byteLength >> 2), begins, words, aligned);
    return each(begins.map((begin) => begin + 4 * words) as unknown as Four, ends, after);
  }
}

/** One value for each of four parts. */
export type Four = readonly [number, number, number, number];
/** The offsets at which four parts start, and the end of the last one. */
export type Five = readonly [number, number, number, number, number];

const alignUp = (at: number): number => (at + 3) & ~3;

/** The next state by state and input. Inputs with the same edges in all states share a class. */
interface Table {
  /** By state and class; a state is its number times the width. */
  readonly next: Int32Array;
  /** By input. */
  readonly classes: Uint16Array;
  readonly width: number;
}

function runBytes({ next, classes, width }: Table, bytes: Uint8Array, start: number): number {
  let state = start * width;
  for (let at = 0; at < bytes.length; at++) state = next[state + classes[bytes[at]!]!]!;
  return state / width;
}

function runPairs({ next, classes, width }: Table, words: Int32Array, start: number): number {
  let state = start * width;
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    state = next[state + classes[word & 0xffff]!]!;
    state = next[state + classes[word >>> 16]!]!;
  }
  return state / width;
}

function runFourByBytes(
  { next, classes, width }: Table,
  bytes: Uint8Array,
  [one, two, three, four]: Four,
  length: number,
  starts: Four,
): Four {
  let a = starts[0] * width;
  let b = starts[1] * width;
  let c = starts[2] * width;
  let d = starts[3] * width;
  for (let at = 0; at < length; at++) {
    a = next[a + classes[bytes[one + at]!]!]!;
    b = next[b + classes[bytes[two + at]!]!]!;
    c = next[c + classes[bytes[three + at]!]!]!;
    d = next[d + classes[bytes[four + at]!]!]!;
  }
  return [a / width, b / width, c / width, d / width];
}

/** @param begins in bytes, multiples of 4 */
function runFourByPairs(
  { next, classes, width }: Table,
  view: Int32Array,
  begins: Four,
  words: number,
  starts: Four,
): Four {
  const [one, two, three, four] = begins.map((begin) => begin >> 2) as unknown as Four;
  let a = starts[0] * width;
  let b = starts[1] * width;
  let c = starts[2] * width;
  let d = starts[3] * width;
  for (let at = 0; at < words; at++) {
    const v = view[one + at]!;
    const w = view[two + at]!;
    const x = view[three + at]!;
    const y = view[four + at]!;
    a = next[a + classes[v & 0xffff]!]!;
    b = next[b + classes[w & 0xffff]!]!;
    c = next[c + classes[x & 0xffff]!]!;
    d = next[d + classes[y & 0xffff]!]!;
    a = next[a + classes[v >>> 16]!]!;
    b = next[b + classes[w >>> 16]!]!;
    c = next[c + classes[x >>> 16]!]!;
    d = next[d + classes[y >>> 16]!]!;
  }
  return [a / width, b / width, c / width, d / width];
}

/** The table of pairs, with the first byte in the low half; `null` if it would be too large. */
function pairTable({ next, classes, width }: Table, states: number): Table | null {
  const size = width * width;
  if (states * size > PAIR_CELLS_MAX) return null;
  const byClass = tableOf(states, size, (state, pair) => {
    const middle = next[state * width + Math.floor(pair / width)]!;
    return next[middle + (pair % width)]! / width;
  });
  if (byClass.next.byteLength > PAIR_TABLE_BYTES_MAX) return null;
  const pairs = new Uint16Array(65536);
  for (let pair = 0; pair < pairs.length; pair++) {
    pairs[pair] = byClass.classes[classes[pair & 0xff]! * width + classes[pair >>> 8]!]!;
  }
  return { ...byClass, classes: pairs };
}

function tableOf(states: number, inputs: number, nextOf: (state: number, input: number) => number): Table {
  const all = new Int32Array(states * inputs);
  for (let state = 0; state < states; state++) {
    for (let input = 0; input < inputs; input++) all[state * inputs + input] = nextOf(state, input);
  }
  const { classes, first } = partition(all, states, inputs);
  const width = first.length;
  const next = new Int32Array(states * width);
  for (let state = 0; state < states; state++) {
    for (let at = 0; at < width; at++) next[state * width + at] = all[state * inputs + first[at]!]! * width;
  }
  return { next, classes, width };
}

/** Groups inputs with the same edges in all states into classes, and returns the first input of each. */
function partition(
  all: Int32Array,
  states: number,
  inputs: number,
): { readonly classes: Uint16Array; readonly first: readonly number[] } {
  const hashes = new Int32Array(inputs);
  for (let state = 0; state < states; state++) {
    for (let input = 0; input < inputs; input++) {
      hashes[input] = Math.imul(hashes[input]!, 0x01000193) ^ all[state * inputs + input]!;
    }
  }
  const isSame = (one: number, other: number): boolean => {
    for (let state = 0; state < states; state++) {
      if (all[state * inputs + one] !== all[state * inputs + other]) return false;
    }
    return true;
  };
  const classes = new Uint16Array(inputs);
  const first: number[] = [];
  const byHash = new Map<number, number>();
  for (let input = 0; input < inputs; input++) {
    const found = byHash.get(hashes[input]!);
    // Different inputs with the same hash are rare; separate classes are correct in any case.
    if (found !== undefined && isSame(first[found]!, input)) {
      classes[input] = found;
    } else {
      classes[input] = first.length;
      byHash.set(hashes[input]!, first.length);
      first.push(input);
    }
  }
  return { classes, first };
}
