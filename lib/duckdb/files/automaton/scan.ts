import { open } from "node:fs/promises";

import { throwIfAborted } from "../../../base/mod.ts";
import { REFUSED, type ByteAutomaton } from "./byte-automaton.ts";

/** An automaton that takes whole files. */
export interface FileAutomaton {
  readonly automaton: ByteAutomaton;
  readonly start: number;
  /** Whether the file may end in a state. */
  readonly isEnd: (state: number) => boolean;
}

/** A smaller file is read sooner than an automaton is made. */
export const PLAIN_FILE_BYTES_MIN: number = 32 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;

/** Whether an automaton takes all of a file. The caller's thread is busy for a millisecond at a time. */
export async function takesFile(
  path: string,
  { automaton, start, isEnd }: FileAutomaton,
  {
    signal,
    isText = () => true,
  }: { readonly signal?: AbortSignal | undefined; readonly isText?: IsText } = {},
): Promise<boolean> {
  await using file = await open(path, "r");
  const buffer = new ArrayBuffer(CHUNK_BYTES);
  const bytes = new Uint8Array(buffer);
  let state = start;
  for (;;) {
    throwIfAborted(signal, "reading a file");
    const length = await fill(file, bytes);
    if (length === 0) return isEnd(state);
    state = automaton.run(buffer, 0, length, state);
    if (state === REFUSED || !isText(bytes.subarray(0, length))) return false;
  }
}

/** Looks at each chunk of a file for what an automaton cannot. */
export type IsText = (chunk: Uint8Array) => boolean;

/** A file may be read in shorter pieces than asked for. */
async function fill(
  file: { read(bytes: Uint8Array, offset: number, length: number): Promise<{ bytesRead: number }> },
  bytes: Uint8Array,
): Promise<number> {
  let length = 0;
  while (length < bytes.length) {
    const { bytesRead } = await file.read(bytes, length, bytes.length - length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return length;
}

/** The state in which an automaton refuses the first megabyte of a file; `null` if it takes all of it. */
export async function firstRefusal(
  path: string,
  { automaton, start }: FileAutomaton,
): Promise<number | null> {
  await using file = await open(path, "r");
  const bytes = new Uint8Array(CHUNK_BYTES);
  const length = await fill(file, bytes);
  let state = start;
  for (let at = 0; at < length; at++) {
    const next = automaton.step(state, bytes[at]!);
    if (next === REFUSED) return state;
    state = next;
  }
  return null;
}
