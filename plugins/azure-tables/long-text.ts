import { createHash } from "node:crypto";

/** A property holds 64 KiB of UTF-16. */
const CHUNK_LENGTH = 32_000;
const CHECKSUM_LENGTH = 16;

/**
 * Encodes a checksum and a text of any length as properties `t0`, `t1` …. Most texts need only one, and each property
 * costs time.
 */
export function toProperties(text: string): Record<string, string> {
  const whole = checksum(text) + text;
  const properties: Record<string, string> = {};
  for (let start = 0, at = 0; start < whole.length; at++) {
    let end = Math.min(start + CHUNK_LENGTH, whole.length);
    // Half a surrogate pair would be lost in UTF-8.
    if (end < whole.length && /[\ud800-\udbff]/.test(whole[end - 1]!)) end -= 1;
    properties[`t${at}`] = whole.slice(start, end);
    start = end;
  }
  return properties;
}

/** The inverse of `toProperties`; `null` if the text is damaged. */
export function fromProperties(values: Readonly<Record<string, string>>): string | null {
  let whole = "";
  for (let at = 0; values[`t${at}`] !== undefined; at++) whole += values[`t${at}`]!;
  const text = whole.slice(CHECKSUM_LENGTH);
  return whole.slice(0, CHECKSUM_LENGTH) === checksum(text) ? text : null;
}

function checksum(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, CHECKSUM_LENGTH);
}
