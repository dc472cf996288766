import { throwIfAborted } from "../../../base/mod.ts";
import type { HostFile } from "../open-bytes.ts";
import { REFUSED, type ByteAutomaton, type Five } from "./byte-automaton.ts";

/** An automaton that accepts whole files. */
export interface FileAutomaton {
  readonly automaton: ByteAutomaton;
  readonly start: number;
  /** The state at the start of a row, which most line feeds lead to. */
  readonly rowStart: number;
  /** Whether the file may end in this state. */
  readonly isEnd: (state: number) => boolean;
}

/** For smaller files, building an automaton takes longer than it saves. */
export const PLAIN_FILE_BYTES_MIN: number = 16 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;
const LINE_FEED = 0x0a;

/** Whether an automaton accepts a file. It blocks the thread for about a millisecond at a time. */
export async function takesFile(
  file: HostFile,
  rows: FileAutomaton,
  {
    signal,
    isText = () => true,
  }: { readonly signal?: AbortSignal | undefined; readonly isText?: IsText } = {},
): Promise<boolean> {
  let state = rows.start;
  for await (const chunk of file.files.readChunks(file.path, CHUNK_BYTES)) {
    throwIfAborted(signal, "reading a file");
    state = runChunk(rows, chunk, state);
    if (state === REFUSED || !isText(chunk)) return false;
  }
  return rows.isEnd(state);
}

/**
 * The state after a chunk. Four parts, split at line feeds, are scanned together, each from the start of a row. If a
 * value contains such a line feed, the rest is scanned again.
 */
function runChunk(
  { automaton, rowStart }: FileAutomaton,
  read: Uint8Array<ArrayBuffer>,
  state: number,
): number {
  // The automaton takes a whole buffer.
  const chunk = read.byteOffset === 0 ? read : read.slice();
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

/** Checks each chunk of a file for what an automaton cannot test. */
export type IsText = (chunk: Uint8Array) => boolean;

/** The state in which an automaton rejects the first megabyte of a file; `null` if it accepts all of it. */
export async function firstRefusal(
  file: HostFile,
  { automaton, start }: FileAutomaton,
): Promise<number | null> {
  let state = start;
  for await (const chunk of file.files.readChunks(file.path, CHUNK_BYTES)) {
    for (const byte of chunk) {
      const next = automaton.step(state, byte);
      if (next === REFUSED) return state;
      state = next;
    }
    break;
  }
  return null;
}
