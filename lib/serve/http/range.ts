/** A range of bytes, both ends included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

const RANGES = /^bytes[ \t]*=[ \t]*(?<list>.*)$/i;
const RANGE = /^(?:(?<first>\d+)-(?<last>\d*)|-(?<suffix>\d+))$/;

/**
 * The range that a header `Range` requests. Without one, or for a header that is not valid or has several ranges, the whole is
 * sent, as RFC 9110 allows.
 *
 * @returns null: the whole; `unsatisfiable`: no byte of it exists
 */
export function rangeOf(header: string | null, sizeBytes: number): ByteRange | "unsatisfiable" | null {
  const list = RANGES.exec(header ?? "")?.groups?.["list"];
  const [only, ...others] = (list ?? "").split(",").map((one) => one.trim());
  const groups = others.length > 0 ? undefined : RANGE.exec(only!)?.groups;
  if (groups === undefined) return null;
  const { first, last, suffix } = groups;
  if (suffix !== undefined) {
    const length = Math.min(Number(suffix), sizeBytes);
    return length === 0 ? "unsatisfiable" : { first: sizeBytes - length, last: sizeBytes - 1 };
  }
  const start = Number(first);
  const end = last === "" ? sizeBytes - 1 : Number(last);
  if (last !== "" && end < start) return null;
  return start >= sizeBytes ? "unsatisfiable" : { first: start, last: Math.min(end, sizeBytes - 1) };
}
