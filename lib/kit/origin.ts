import { RecordBatch, Schema } from "apache-arrow";

const ORIGIN_KEY = "agnes.origin";

/**
 * Returns a batch whose rows have an origin, as the rows of a `FileChunk` have: a later read can keep the origins that did
 * not change (`ReadResult.kept`), and the rows of an origin that it yields replace those published before. For sources that
 * know which parts of a table changed, such as partitions.
 *
 * Yield all rows of an origin, one origin after the other, sorted by name in UTF-16 code units; see `ReadOptions.byOrigin`.
 *
 * @param origin unique within the table, such as `20260131`
 * @returns a batch over the same data
 * @throws nothing
 * @example
 * ```ts
 * import { createRowBuilder, int64, table, withOrigin } from "agnes/kit";
 * const builder = createRowBuilder(table("days", { id: int64() }));
 * const batches = [...builder.append([{ id: 1 }]), ...builder.finish()];
 * const day = batches.map((batch) => withOrigin(batch, "20260131"));
 * ```
 */
export function withOrigin(batch: RecordBatch, origin: string): RecordBatch {
  const { fields, metadata, dictionaries } = batch.schema;
  const named = new Map([...metadata, [ORIGIN_KEY, origin]]);
  return new RecordBatch(new Schema(fields, named, dictionaries), batch.data);
}

/** The origin of the rows of a batch; null if they have none. */
export function originOf({ schema }: Pick<RecordBatch, "schema">): string | null {
  return schema.metadata.get(ORIGIN_KEY) ?? null;
}
