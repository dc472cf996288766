import { JsonProblem } from "./problem.ts";
import { wholeCharacters } from "./tokens.ts";

/** A JSON value that stands where a row should, and is no object. */
export interface StrangeRow {
  /** With its article. */
  readonly kind: string;
  readonly line: number;
  /** Its text, or how it begins and `…`. */
  readonly text: string;
}

/** What a value that begins with a byte may be, other than an object; `null` when nothing begins so. */
export function kindOf(byte: number): string | null {
  if (byte === 0x2d || (byte >= 0x30 && byte <= 0x39)) return "a number";
  return KINDS.get(byte) ?? null;
}

const KINDS: ReadonlyMap<number, string> = new Map(
  Object.entries({ '"': "a string", "[": "a list", t: "true", f: "false", n: "null" }).map(
    ([character, kind]) => [character.charCodeAt(0), kind],
  ),
);

/** The error about it, which ends a scan. */
export function strangeProblem(row: StrangeRow): JsonProblem {
  return new JsonProblem(row.line, strangeReason(row), { strange: row.text });
}

/** Why it is no row. */
export function strangeReason({ kind }: StrangeRow): string {
  return `found ${kind} instead of an object, since each row must be one`;
}

/** So much of a value is shown. */
const TEXT_BYTES_MAX = 200;

/** The text from one place to another, as far as the bytes have it: it may start in earlier ones. */
export function strangeText(bytes: Uint8Array, start: number, end: number): string {
  const from = Math.max(0, start);
  const most = bytes.subarray(from, Math.min(end, from + TEXT_BYTES_MAX));
  const length = wholeCharacters(most);
  const text = Buffer.from(most.subarray(0, length)).toString("utf8");
  return `${start < 0 ? "…" : ""}${text}${from + length < end ? "…" : ""}`;
}
