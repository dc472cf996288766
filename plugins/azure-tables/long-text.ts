import { createHash } from "node:crypto";

/** A property holds 64 KiB of UTF-16. */
const CHUNK_LENGTH = 32_000;
const CHECKSUM_LENGTH = 16;

/**
 * A text of any length, after its checksum, as properties `t0`, `t1` …: most texts need but one, and the
 * service takes its time for each.
 */
export function toProperties(text: string): Record<string, string> {
  const whole = checksum(text) + text;
  const properties: Record<string, string> = {};
  for (let start = 0, at = 0; start < whole.length; at++) {
    let end = Math.min(start + CHUNK_LENGTH, whole.length);
    // Half a surrogate pair would not survive the journey.
    if (end < whole.length && /[\ud800-\udbff]/.test(whole[end - 1]!)) end -= 1;
    properties[`t${at}`] = whole.slice(start, end);
    start = end;
  }
  return properties;
}

/** The text of `toProperties`; `null` when it is not whole. */
export function fromProperties(values: Readonly<Record<string, string>>): string | null {
  let whole = "";
  for (let at = 0; values[`t${at}`] !== undefined; at++) whole += values[`t${at}`]!;
  const text = whole.slice(CHECKSUM_LENGTH);
  return whole.slice(0, CHECKSUM_LENGTH) === checksum(text) ? text : null;
}

function checksum(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, CHECKSUM_LENGTH);
}
