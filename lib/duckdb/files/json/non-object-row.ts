import { JsonProblem } from "./problem.ts";
import { wholeCharacters } from "./tokens.ts";

/** A row that is not an object. */
export interface NonObjectRow {
  /** The kind of the value, with its article. */
  readonly kind: string;
  readonly line: number;
  /** The text of the value; if it is long, its start and `…`. */
  readonly text: string;
}

/** The kind of a value by its first byte, other than an object; `null` if no value starts with it. */
export function kindOf(byte: number): string | null {
  if (byte === 0x2d || (byte >= 0x30 && byte <= 0x39)) return "a number";
  return KINDS.get(byte) ?? null;
}

const KINDS: ReadonlyMap<number, string> = new Map(
  Object.entries({ '"': "a string", "[": "a list", t: "true", f: "false", n: "null" }).map(
    ([character, kind]) => [character.charCodeAt(0), kind],
  ),
);

/** The error for the row, which ends the scan. */
export function nonObjectProblem(row: NonObjectRow): JsonProblem {
  return new JsonProblem(row.line, nonObjectReason(row), { nonObject: row.text });
}

/** The reason why the row is rejected. */
export function nonObjectReason({ kind }: NonObjectRow): string {
  return `found ${kind} instead of an object; each row must be an object`;
}

/** The maximum length of a value in messages. */
const TEXT_BYTES_MAX = 200;

/** The text between two offsets, as far as it is in these bytes; it may start in an earlier chunk. */
export function nonObjectText(bytes: Uint8Array, start: number, end: number): string {
  const from = Math.max(0, start);
  const most = bytes.subarray(from, Math.min(end, from + TEXT_BYTES_MAX));
  const length = wholeCharacters(most);
  const text = Buffer.from(most.subarray(0, length)).toString("utf8");
  return `${start < 0 ? "…" : ""}${text}${from + length < end ? "…" : ""}`;
}
