import { AgnesError, counted } from "../base/mod.ts";
import type { KeyRange } from "./storage.ts";
import type { RowKey } from "./types.ts";

/**
 * The key of a record as one string. A key of one field is its value. The parts of a composite key are joined so that
 * each key has a unique text and texts sort like keys, part by part.
 */
export function keyText(parts: readonly string[]): string {
  return parts.length === 1 ? parts[0]! : joined(parts);
}

/** The inverse of `keyText`. */
export function rowKeyOf(text: string, partCount: number): RowKey {
  return partCount === 1 ? text : text.split("\0\0").map((part) => part.replaceAll("\0\u0001", "\0"));
}

/** The range of key texts between two row keys, both inclusive. For a composite key, leading parts are enough. */
export function keyRange(
  range: { readonly rowFrom?: RowKey; readonly rowTo?: RowKey },
  partCount: number,
): KeyRange {
  const { rowFrom, rowTo } = range;
  return {
    ...(rowFrom === undefined ? {} : { from: bound(checkedParts(rowFrom, partCount), partCount) }),
    ...(rowTo === undefined ? {} : { before: successor(checkedParts(rowTo, partCount), partCount) }),
  };
}

/** Whether a key lies in a range. */
export function inRange(key: string, range: KeyRange): boolean {
  return (
    (range.from === undefined || key >= range.from) && (range.before === undefined || key < range.before)
  );
}

/**
 * The parts of a complete row key.
 * @throws `invalid_input`
 */
export function wholeKey(rowKey: RowKey, partCount: number): readonly string[] {
  const parts = checkedParts(rowKey, partCount);
  if (parts.length === partCount) return parts;
  throw new AgnesError("invalid_input", {
    what: "the row key",
    reason: `it should have ${counted(partCount, "part")}, but has ${parts.length}`,
  });
}

function checkedParts(rowKey: RowKey, partCount: number): readonly string[] {
  const parts = typeof rowKey === "string" ? [rowKey] : rowKey;
  if (parts.length > 0 && parts.length <= partCount && parts.every((part) => typeof part === "string")) {
    return parts;
  }
  throw new AgnesError("invalid_input", {
    what: "the row key",
    reason: `it should be ${partCount === 1 ? "a string" : `at most ${partCount} strings`}`,
  });
}

function joined(parts: readonly string[]): string {
  return parts.map((part) => part.replaceAll("\0", "\0\u0001")).join("\0\0");
}

function bound(parts: readonly string[], partCount: number): string {
  return partCount === 1 ? parts[0]! : joined(parts);
}

function successor(parts: readonly string[], partCount: number): string {
  // The smallest text greater than the key, or than all keys that begin with these parts.
  return partCount === 1 ? `${parts[0]!}\0` : `${joined(parts)}\0\u0001`;
}
