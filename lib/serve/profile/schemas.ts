import * as v from "valibot";

const described = <S extends v.GenericSchema>(schema: S, text: string) => v.pipe(schema, v.description(text));
const text = v.string();
const textOrNull = v.nullable(text);
const number = v.number();
const numberOrNull = v.nullable(number);
const value = described(
  v.nullable(v.union([v.string(), v.number(), v.boolean()])),
  "Text, if a JSON number cannot represent it exactly",
);
const histogram = described(
  v.object({ bins: v.array(v.union([v.string(), v.number()])), counts: v.array(number) }),
  "For numbers, bins are the edges of the intervals, one more than counts; for dates, quarters such as 2026-Q1",
);
const alert = { type: text, message: text };

const numericStats = v.object({
  min: value,
  max: value,
  mean: numberOrNull,
  median: numberOrNull,
  stddev: numberOrNull,
  p5: numberOrNull,
  p25: numberOrNull,
  p75: numberOrNull,
  p95: numberOrNull,
  zeros: number,
  zeros_pct: number,
  negative: number,
  negative_pct: number,
  non_finite: described(number, "Values that are not finite, which no other figure includes"),
  histogram,
});

const column = v.object({
  name: text,
  type: described(text, "The DuckDB type"),
  type_category: described(text, "STRING, NUMERIC, DATE, TIMESTAMP or BOOLEAN"),
  completeness_pct: described(numberOrNull, "null: the table has no rows"),
  null_count: number,
  unique_count: described(number, "An estimate if the profile is sampled"),
  unique_pct: number,
  sample_values: v.array(value),
  is_primary_key: v.boolean(),
  alerts: v.array(v.object(alert)),
  numeric_stats: v.optional(numericStats),
  string_stats: v.optional(
    v.object({
      min_length: numberOrNull,
      max_length: numberOrNull,
      avg_length: numberOrNull,
      top_values: v.array(v.object({ value: text, count: number, pct: number })),
    }),
  ),
  date_stats: v.optional(
    v.object({ earliest: textOrNull, latest: textOrNull, span_days: numberOrNull, histogram }),
  ),
  boolean_stats: v.optional(v.object({ true_count: number, false_count: number, true_pct: number })),
});

/** The response of `GET /api/v2/profile/:id`. */
export const profileBody = v.object({
  version: text,
  table_id: text,
  name: described(text, "The name of the table in SQL"),
  generated_at: described(text, "ISO 8601, UTC"),
  generation: described(
    numberOrNull,
    "The generation that was profiled; null: not an extract of Agnes, or the caller may access some tables only",
  ),
  stale: described(
    v.nullable(v.object({ reason: text, code: textOrNull })),
    "Why the figures are those of an earlier state of the table; null: they are current",
  ),
  description: text,
  primary_key: v.array(text),
  sync_strategy: described(textOrNull, "null: the table is not registered"),
  row_count: number,
  column_count: number,
  file_size_mb: described(numberOrNull, "Millions of bytes; null: unknown"),
  avg_completeness: numberOrNull,
  missing_cells: number,
  missing_cells_pct: number,
  duplicate_rows: described(number, "Rows that equal an earlier one; always exact"),
  variable_types: v.record(v.string(), v.number()),
  date_range: v.nullable(v.object({ earliest: text, latest: text, span_days: number })),
  alerts: v.array(v.object({ column: text, ...alert })),
  sampled: described(
    v.boolean(),
    "Whether percentiles, histograms, top values and sample values are those of a random sample",
  ),
  sampled_rows: number,
  last_sync: textOrNull,
  related_tables: v.array(
    v.object({
      table: text,
      join_column: textOrNull,
      foreign_column: textOrNull,
      direction: described(text, "belongs_to or has_many"),
      description: text,
    }),
  ),
  used_by_metrics: v.array(v.object({ name: text, file: text })),
  columns: v.array(column),
  sample_rows: v.array(v.record(v.string(), value)),
});
