import { formatValue } from "../../base/mod.ts";
import { isDeletions, isFileChunk, isRows, type Batch, type Deletions } from "../../kit/mod.ts";

/** Why what a connector yielded is neither a batch nor deletions; rows are looked at when they are built. */
export function batchProblem(value: Batch | Deletions): string | undefined {
  const given: unknown = value;
  if (typeof given !== "object" || given === null) return `it is ${formatValue(given)}`;
  if (isRows(value)) return undefined;
  if (isDeletions(value))
    return Array.isArray(value.keys) ? undefined : "it is deletions without a list of keys";
  if (isFileChunk(value)) {
    const { data }: { readonly data: unknown } = value;
    const isBytes = typeof data === "object" && data !== null && Symbol.asyncIterator in data;
    return typeof data === "string" || isBytes
      ? undefined
      : "it is a file chunk whose data is neither a path nor bytes that come one after the other";
  }
  if (typeof value.numRows === "number" && Array.isArray(value.schema?.fields)) return undefined;
  return `it is an object with ${Object.keys(given).length === 0 ? "no keys" : `the keys ${Object.keys(given).slice(0, 5).join(", ")}`}`;
}
