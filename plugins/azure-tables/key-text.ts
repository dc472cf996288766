import { createHash } from "node:crypto";

const LONG = "!!";

/**
 * Encodes any string as a text that is valid in keys of Azure Tables. The texts of different strings differ, also if
 * case is ignored, and sort like the strings. Letters and digits are unchanged.
 *
 * A text longer than `lengthMax` is truncated and ends in a hash of the whole string.
 */
export function encodeKey(value: string, lengthMax: number): string {
  const text = escaped(value);
  if (text.length <= lengthMax) return text;
  const hash = createHash("sha256").update(Buffer.from(value, "utf16le")).digest("hex").slice(0, 40);
  return `${cut(text, lengthMax - hash.length - LONG.length)}${LONG}${hash}`;
}

/** A text that is not greater than the key of any string from `value` on. */
export function lowerBoundKey(value: string, lengthMax: number): string {
  const text = escaped(value);
  return text.length <= lengthMax ? text : cut(text, lengthMax - 40 - LONG.length);
}

/** A text that is greater than the key of any string before `value`; `null` if `value` is too long. */
export function upperBoundKey(value: string, lengthMax: number): string | null {
  const text = escaped(value);
  return text.length <= lengthMax ? text : null;
}

/** Whether the text of a key is truncated, so that its order is inexact. */
export function isCut(text: string): boolean {
  return text.includes(LONG);
}

// Each escape begins with a character that sorts like the characters it escapes.
function escaped(value: string): string {
  return value.replace(/[^0-9A-Za-z]/g, (character) => {
    const code = character.charCodeAt(0);
    if (code < 0x30) return `!${hex(code, 2)}`;
    if (code < 0x41) return `=${hex(code, 2)}`;
    if (code < 0x61) return `_${hex(code, 2)}`;
    return `~${hex(code, 4)}`;
  });
}

function cut(text: string, length: number): string {
  // Removes a partial escape at the end, because its order is undefined.
  return text.slice(0, length).replace(/([!=_][0-9a-f]?|~[0-9a-f]{0,3})$/, "");
}

function hex(code: number, length: number): string {
  return code.toString(16).padStart(length, "0");
}
