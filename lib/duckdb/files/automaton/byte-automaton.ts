/** No more text is taken. */
export const REFUSED = 0;

/** No larger table stays in the cache of a processor. */
const PAIR_TABLE_BYTES_MAX = 2 * 1024 * 1024;
/** To make a larger one would take longer than it saves. */
const PAIR_CELLS_MAX = 4 * 1024 * 1024;

/** The states of a `ByteAutomaton` while it is put together. */
export class AutomatonBuilder {
  /** For each state, the next one by the byte; the first is `REFUSED`. */
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

  /** Gives a state the edges of another that it does not have. */
  copyEdges(from: number, to: number): void {
    const edges = this.#states[to]!;
    this.#states[from]!.forEach((next, byte) => {
      if (edges[byte] === REFUSED) edges[byte] = next;
    });
  }

  /** All bytes except some; those that have an edge keep it. */
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
 * A deterministic finite automaton over bytes, in tables that take about a nanosecond for each byte.
 *
 * What limits such a loop is that each look-up waits for the one before, so bytes are looked up by pairs while the table
 * of pairs stays in the cache of a processor.
 */
export class ByteAutomaton {
  readonly #bytes: Table;
  readonly #pairs: Table | null;

  /** @param states for each state, the next one by the byte */
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
   * @param from at which byte to begin; a multiple of 4
   */
  run(buffer: ArrayBuffer, from: number, to: number, state: number): number {
    const pairs = this.#pairs;
    if (pairs === null) return runBytes(this.#bytes, new Uint8Array(buffer, from, to - from), state);
    const words = (to - from) >> 2;
    const after = runPairs(pairs, new Int32Array(buffer, from, words), state);
    const rest = new Uint8Array(buffer, from + 4 * words, to - from - 4 * words);
    return runBytes(this.#bytes, rest, after);
  }
}

/** The next state by state and input. Inputs that no state tells apart are one class. */
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

/** The table of pairs, the first byte in the low half; `null` when it would be too large. */
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

/** Puts inputs into classes that no state tells apart, and gives the first input of each. */
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
    // Inputs of one hash that differ are rare; that they are two classes is right in any case.
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
