import { isUtf8 } from "node:buffer";

import type { FileColumn } from "../../../kit/mod.ts";
import {
  AutomatonBuilder,
  firstRefusal,
  loadForms,
  takesFile,
  type FileAutomaton,
  type FormOf,
} from "../automaton/mod.ts";
import type { HostFile } from "../open-bytes.ts";
import { parseType } from "../type-tree.ts";
import { byteOf, PlainValues, type Fields } from "./plain-values.ts";
import { wholeCharacters } from "./tokens.ts";

/**
 * Whether all rows of a file of lines are plain: one per line, keys in the order of the columns, and values that DuckDB
 * reads exactly regardless of the other rows. An automaton tests this at several times the speed of a scan. A file that it
 * rejects is not invalid, but must be scanned.
 */
export async function hasPlainRows(
  file: HostFile,
  columns: readonly FileColumn[],
  signal: AbortSignal | undefined,
): Promise<boolean> {
  for (const rows of await plainRows(columns)) {
    if ((await firstRefusal(file, rows)) !== null) continue;
    return takesFile(file, rows, { signal, isText: wholeText() });
  }
  return false;
}

/** The automata of plain rows: one for rows with missing keys, unless it is too large, and one for complete rows. */
export async function plainRows(columns: readonly FileColumn[]): Promise<readonly FileAutomaton[]> {
  const fields = fieldsOf(columns);
  if (fields === null) return [];
  const formOf = await loadForms();
  return [false, true].flatMap((isComplete) => rowsAutomaton(fields, formOf, isComplete) ?? []);
}

function fieldsOf(columns: readonly FileColumn[]): Fields | null {
  if (columns.some(({ isConfigured, format }) => isConfigured === true || format !== undefined)) return null;
  return columns.map(({ name, key = name, type }) => [key, parseType(type)]);
}

/** Checks that a text that arrives in chunks is UTF-8. */
function wholeText(): (chunk: Uint8Array) => boolean {
  let half: Uint8Array = new Uint8Array(0);
  return (chunk) => {
    const whole = half.length === 0 ? chunk : Buffer.concat([half, chunk]);
    const cut = wholeCharacters(whole);
    half = whole.slice(cut);
    return isUtf8(whole.subarray(0, cut));
  };
}

/** @param isComplete whether all keys are required */
function rowsAutomaton(fields: Fields, formOf: FormOf, isComplete: boolean): FileAutomaton | null {
  const builder = new AutomatonBuilder();
  const start = builder.state();
  const end = new PlainValues(builder, formOf, isComplete).addObject(fields, start);
  if (end === null) return null;
  const lineEnd = builder.state();
  builder.on(end, byteOf("\r"), lineEnd);
  for (const state of [end, lineEnd]) builder.on(state, byteOf("\n"), start);
  return {
    automaton: builder.build(),
    start,
    rowStart: start,
    isEnd: (state) => state === start || state === end,
  };
}
