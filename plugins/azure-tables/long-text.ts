import { createHash } from "node:crypto";

/** A property holds 64 KiB of UTF-16. */
const CHUNK_LENGTH = 32_000;

/** A text of any length as properties `t0`, `t1` …, with its checksum in `sum`. */
export function toProperties(text: string): Record<string, string> {
  const properties: Record<string, string> = { sum: checksum(text) };
  for (let start = 0, at = 0; start < text.length || at === 0; at++) {
    let end = Math.min(start + CHUNK_LENGTH, text.length);
    // Half a surrogate pair would not survive the journey.
    if (end < text.length && /[\ud800-\udbff]/.test(text[end - 1]!)) end -= 1;
    properties[`t${at}`] = text.slice(start, end);
    start = end;
  }
  return properties;
}

/** The text of `toProperties`; `null` when it is not whole. */
export function fromProperties(values: Readonly<Record<string, string>>): string | null {
  let text = "";
  for (let at = 0; values[`t${at}`] !== undefined; at++) text += values[`t${at}`]!;
  return values["sum"] === checksum(text) ? text : null;
}

function checksum(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
