import { formatValue } from "../../base/mod.ts";
import { isDeletions, isFileChunk, isRows, type Batch, type Deletions } from "../../kit/mod.ts";

/** Returns why a yielded value is neither a batch nor deletions. Rows are checked when they are built. */
export function batchProblem(value: Batch | Deletions): string | undefined {
  const candidate: unknown = value;
  if (typeof candidate !== "object" || candidate === null) return `it is ${formatValue(candidate)}`;
  if (isRows(value)) return undefined;
  if (isDeletions(value))
    return Array.isArray(value.keys) ? undefined : "it is an object of kind deletions without a list of keys";
  if (isFileChunk(value)) {
    const { data }: { readonly data: unknown } = value;
    const isBytes = typeof data === "object" && data !== null && Symbol.asyncIterator in data;
    return typeof data === "string" || isBytes
      ? undefined
      : "it is a file chunk whose data is neither a path nor an async iterable of bytes";
  }
  if (typeof value.numRows === "number" && Array.isArray(value.schema?.fields)) return undefined;
  const keys = Object.keys(candidate);
  return `it is an object with ${keys.length === 0 ? "no keys" : `the keys ${keys.slice(0, 5).join(", ")}`}`;
}
