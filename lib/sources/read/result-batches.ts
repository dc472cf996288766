import { mergeParts, type Batch, type SourceResult } from "../../kit/mod.ts";

/** Returns the batches of a query's result. Parts are read in parallel, starting with the first batch. */
export function resultBatches(
  result: SourceResult,
  options: { readonly signal: AbortSignal },
): AsyncIterable<Batch> {
  return result.parts === undefined ? result.batches : mergeParts(result.parts, options);
}
