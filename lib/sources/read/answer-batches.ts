import { mergeParts, type Batch, type SourceResult } from "../../kit/mod.ts";

/** Returns the batches of a query's result; parts are read several at once when the first batch is taken. */
export function answerBatches(
  answer: SourceResult,
  options: { readonly signal: AbortSignal },
): AsyncIterable<Batch> {
  return answer.parts === undefined ? answer.batches : mergeParts(answer.parts, options);
}
