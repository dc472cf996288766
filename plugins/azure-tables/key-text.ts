import { createHash } from "node:crypto";

const LONG = "!!";

/**
 * Any string as a text that Azure Tables takes as (part of) a key. Different strings give different texts,
 * whatever their case, and texts sort as the strings do. Letters and digits stay readable.
 *
 * A text longer than `lengthMax` is cut and ends in a hash of the whole.
 */
export function encodeKey(value: string, lengthMax: number): string {
  const text = escaped(value);
  if (text.length <= lengthMax) return text;
  const hash = createHash("sha256").update(Buffer.from(value, "utf16le")).digest("hex").slice(0, 40);
  return `${cut(text, lengthMax - hash.length - LONG.length)}${LONG}${hash}`;
}

/** A text not greater than the key of any string from `value` on. */
export function lowerBoundKey(value: string, lengthMax: number): string {
  const text = escaped(value);
  return text.length <= lengthMax ? text : cut(text, lengthMax - 40 - LONG.length);
}

/** A text greater than the key of any string before `value`; `null` when `value` is too long to give one. */
export function upperBoundKey(value: string, lengthMax: number): string | null {
  const text = escaped(value);
  return text.length <= lengthMax ? text : null;
}

/** Whether the text of a key was cut, so that it no longer sorts exactly. */
export function isCut(text: string): boolean {
  return text.includes(LONG);
}

// Each escape begins with a character that sorts where the characters escaped by it do.
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
  // Never through an escape: what is left of it could sort anywhere.
  return text.slice(0, length).replace(/([!=_][0-9a-f]?|~[0-9a-f]{0,3})$/, "");
}

function hex(code: number, length: number): string {
  return code.toString(16).padStart(length, "0");
}
