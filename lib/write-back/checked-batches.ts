import * as arrow from "apache-arrow";

import { formatValue } from "../base/mod.ts";
import { batchTexts, quoteIdentifier } from "../duckdb/mod.ts";

/** The rows that passed through `checkedBatches`. */
export interface RowCount {
  rows: number;
  /** Whether all rows were read. */
  isComplete: boolean;
}

/** What `checkedBatches` does with the rows. */
export interface RowChecks {
  /** The columns of the batches, in order. */
  readonly columns: readonly string[];
  /** Columns that are never null and together occur once; empty: not checked. All keys are kept in memory. */
  readonly key: readonly string[];
  readonly count: RowCount;
  /** Throws the error of a row. */
  readonly refuse: (reason: string, advice: string) => never;
}

/** Returns batches with the selected columns, checks their keys and counts their rows. */
export async function* checkedBatches(
  batches: AsyncIterable<arrow.RecordBatch>,
  { columns, key, count, refuse }: RowChecks,
): AsyncGenerator<arrow.RecordBatch, void, void> {
  const seen = new Set<string>();
  for await (const batch of batches) {
    if (key.length > 0) {
      for (const [row, values] of batchTexts(withColumns(batch, key)).entries()) {
        const problem = keyProblem(values, key, seen);
        if (problem !== null) refuse(`in row ${count.rows + row + 1}, ${problem.reason}`, problem.advice);
      }
    }
    count.rows += batch.numRows;
    yield withColumns(batch, columns);
  }
  count.isComplete = true;
}

/** Returns why the key of a row cannot be written; otherwise null, and the key counts as seen. */
function keyProblem(
  values: readonly (string | null)[],
  key: readonly string[],
  seen: Set<string>,
): { readonly reason: string; readonly advice: string } | null {
  const empty = values.indexOf(null);
  if (empty >= 0)
    return {
      reason: `the key column ${quoteIdentifier(key[empty]!)} is null`,
      advice: "Exclude such rows in the SQL, or fill the key.",
    };
  const text = JSON.stringify(values);
  if (seen.has(text))
    return {
      reason: `the key ${key.map((name, at) => `${quoteIdentifier(name)} = ${formatValue(values[at])}`).join(", ")} occurs again, and the source would keep any one of these rows`,
      advice: `Select one row per key, for example with \`QUALIFY row_number() OVER (PARTITION BY ${key.map(quoteIdentifier).join(", ")} ORDER BY …) = 1\`.`,
    };
  seen.add(text);
  return null;
}

function withColumns(batch: arrow.RecordBatch, names: readonly string[]): arrow.RecordBatch {
  const places = names.map((name) => batch.schema.fields.findIndex((field) => field.name === name));
  const fields = places.map((at) => batch.schema.fields[at]!);
  const children = places.map((at) => batch.data.children[at]!);
  const type = new arrow.Struct(fields);
  const data = arrow.makeData({ type, length: batch.numRows, nullCount: 0, children });
  return new arrow.RecordBatch(new arrow.Schema(fields), data);
}
