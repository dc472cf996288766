import { readChunks, throwIfAborted } from "../../../base/mod.ts";
import { REFUSED, type ByteAutomaton, type Five } from "./byte-automaton.ts";

/** An automaton that takes whole files. */
export interface FileAutomaton {
  readonly automaton: ByteAutomaton;
  readonly start: number;
  /** The state at the start of a row, so that behind most line feeds. */
  readonly rowStart: number;
  /** Whether the file may end in a state. */
  readonly isEnd: (state: number) => boolean;
}

/** A smaller file is read sooner than an automaton is made. */
export const PLAIN_FILE_BYTES_MIN: number = 32 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;
const LINE_FEED = 0x0a;

/** Whether an automaton takes all of a file. The caller's thread is busy for a millisecond at a time. */
export async function takesFile(
  path: string,
  rows: FileAutomaton,
  {
    signal,
    isText = () => true,
  }: { readonly signal?: AbortSignal | undefined; readonly isText?: IsText } = {},
): Promise<boolean> {
  let state = rows.start;
  for await (const chunk of readChunks(path, CHUNK_BYTES)) {
    throwIfAborted(signal, "reading a file");
    state = runChunk(rows, chunk, state);
    if (state === REFUSED || !isText(chunk)) return false;
  }
  return rows.isEnd(state);
}

/**
 * The state after a chunk, of which four parts are looked at side by side: behind a line feed stands the start of a row.
 * Where that was wrong, because a value holds the line feed, the rest is looked at once more.
 */
function runChunk(
  { automaton, rowStart }: FileAutomaton,
  chunk: Uint8Array<ArrayBuffer>,
  state: number,
): number {
  const { buffer, length } = chunk;
  const rowAfter = (share: number) => chunk.indexOf(LINE_FEED, Math.floor(share * length)) + 1 || length;
  const places: Five = [0, rowAfter(0.25), rowAfter(0.5), rowAfter(0.75), length];
  const after = automaton.runFour(buffer, places, [state, rowStart, rowStart, rowStart]);
  for (const [part, end] of after.entries()) {
    const next = places[part + 1]!;
    if (next === length || end === REFUSED) return end;
    if (end !== rowStart) return automaton.run(buffer, next, length, end);
  }
  return after[3];
}

/** Looks at each chunk of a file for what an automaton cannot. */
export type IsText = (chunk: Uint8Array) => boolean;

/** The state in which an automaton refuses the first megabyte of a file; `null` if it takes all of it. */
export async function firstRefusal(
  path: string,
  { automaton, start }: FileAutomaton,
): Promise<number | null> {
  let state = start;
  for await (const chunk of readChunks(path, CHUNK_BYTES)) {
    for (const byte of chunk) {
      const next = automaton.step(state, byte);
      if (next === REFUSED) return state;
      state = next;
    }
    break;
  }
  return null;
}
