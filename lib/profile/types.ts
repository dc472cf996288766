/** The category of a column, which decides its statistics. All types that are none of the others are `STRING`. */
export type TypeCategory = "STRING" | "NUMERIC" | "DATE" | "TIMESTAMP" | "BOOLEAN";

/** The kind of an observation about a column. */
export type AlertType =
  /** All values are equal. */
  | "constant"
  /** All values differ. */
  | "unique"
  /** More than 30 % of the values are null. */
  | "high_missing"
  /** More than 5 % of the values are null. */
  | "missing"
  /** One of at most 50 different values makes up more than 60 %. */
  | "imbalance"
  /** More than 50 % of the numbers are zero. */
  | "zeros"
  /** More than 50 % of the texts differ. */
  | "high_cardinality";

/** An observation about a column. */
export interface ColumnAlert {
  readonly type: AlertType;
  readonly message: string;
}

/** A value as JSON: a number if JSON can represent it exactly, otherwise the text of DuckDB; null: missing. */
export type ProfileValue = string | number | boolean | null;

/** Counts by intervals or by quarters. */
export interface Histogram {
  /**
   * For numbers the edges of the intervals, one more than counts: each interval contains its lower edge, and the last one both.
   * The first edge is the minimum, the last one the maximum. For dates the quarters, such as `2026-Q1`, as many as counts.
   */
  readonly bins: readonly (number | string)[];
  readonly counts: readonly number[];
}

/** Statistics of the finite numbers of a column; null: there is none, or it is out of the range of a DOUBLE. */
export interface NumericStats {
  readonly min: number | string | null;
  readonly max: number | string | null;
  readonly mean: number | null;
  readonly median: number | null;
  /** The standard deviation of a sample. */
  readonly stddev: number | null;
  readonly p5: number | null;
  readonly p25: number | null;
  readonly p75: number | null;
  readonly p95: number | null;
  readonly zeros: number;
  /** In percent of the values that are not null. */
  readonly zeros_pct: number;
  readonly negative: number;
  /** In percent of the values that are not null. */
  readonly negative_pct: number;
  /** NaN and infinite values, which no other figure includes. */
  readonly non_finite: number;
  /** 15 intervals of equal width, or fewer with whole edges for whole numbers; one if all numbers are equal. */
  readonly histogram: Histogram;
}

/** Statistics of the texts of a column; the lengths are in characters, those of `BLOB` in bytes. */
export interface StringStats {
  readonly min_length: number | null;
  readonly max_length: number | null;
  readonly avg_length: number | null;
  /** The most frequent values, at most 10. Values of more than 100 characters end with `…`. */
  readonly top_values: readonly {
    readonly value: string;
    readonly count: number;
    /** In percent of the values that are not null, among the rows of the sample. */
    readonly pct: number;
  }[];
}

/** Statistics of the finite dates or times of a column. */
export interface DateStats {
  readonly earliest: string | null;
  readonly latest: string | null;
  readonly span_days: number | null;
  /** Rows by quarter: the 200 quarters with the most rows. */
  readonly histogram: Histogram;
}

/** Statistics of the truth values of a column. */
export interface BooleanStats {
  readonly true_count: number;
  readonly false_count: number;
  /** In percent of the values that are not null. */
  readonly true_pct: number;
}

/** The profile of one column. It has the statistics of its category. */
export interface ColumnProfile {
  readonly name: string;
  /** The DuckDB type. */
  readonly type: string;
  readonly type_category: TypeCategory;
  /** Null: the table has no rows. */
  readonly completeness_pct: number | null;
  readonly null_count: number;
  /** The number of different values. An estimate if the profile is `sampled`, except for 0 and 1. */
  readonly unique_count: number;
  /** In percent of the values that are not null. */
  readonly unique_pct: number;
  /** The most frequent values, at most 5. */
  readonly sample_values: readonly ProfileValue[];
  readonly is_primary_key: boolean;
  readonly alerts: readonly ColumnAlert[];
  readonly numeric_stats?: NumericStats;
  readonly string_stats?: StringStats;
  readonly date_stats?: DateStats;
  readonly boolean_stats?: BooleanStats;
}

/** A table that a foreign key connects with the profiled one. */
export interface RelatedTable {
  /** Its view name. */
  readonly table: string;
  /** The column of the profiled table; null: not registered. */
  readonly join_column: string | null;
  /** The column of the related table; null: not registered. */
  readonly foreign_column: string | null;
  /** `belongs_to`: the profiled table refers to the other one; `has_many`: the other one refers to it. */
  readonly direction: "belongs_to" | "has_many";
  readonly description: string;
}

/** The profile of a published table; see `Agnes.profile`. */
export interface TableProfile {
  /** The version of this structure. */
  readonly version: "1.0";
  /** `source.name` */
  readonly table_id: string;
  /** The name of the table in SQL. */
  readonly name: string;
  /** When the figures were computed; ISO 8601, UTC. */
  readonly generated_at: string;
  /** The generation of the extract that was profiled; null: the extract of another program. */
  readonly generation: number | null;
  /** Why the figures are those of an earlier state of the table; null: they are of the current one. */
  readonly stale: { readonly reason: string; readonly code: string | null } | null;
  readonly description: string;
  readonly primary_key: readonly string[];
  /** Null: the table is not registered. */
  readonly sync_strategy: string | null;
  readonly row_count: number;
  readonly column_count: number;
  /** In millions of bytes; null: unknown. */
  readonly file_size_mb: number | null;
  /** The mean of `completeness_pct`; null: the table has no rows. */
  readonly avg_completeness: number | null;
  readonly missing_cells: number;
  readonly missing_cells_pct: number;
  /** Rows that equal an earlier one in all columns of the table. Exact, also if the profile is `sampled`. */
  readonly duplicate_rows: number;
  readonly variable_types: Readonly<Partial<Record<TypeCategory, number>>>;
  /** The range of all dates and times; null: there are none. */
  readonly date_range: {
    readonly earliest: string;
    readonly latest: string;
    readonly span_days: number;
  } | null;
  readonly alerts: readonly (ColumnAlert & { readonly column: string })[];
  /**
   * Whether percentiles, histograms, top values and sample values are those of a random sample. All other figures are those
   * of all rows, except `unique_count`, which is then an estimate.
   */
  readonly sampled: boolean;
  /** The rows of the sample, or all rows. Many columns are profiled in groups with samples of their own: of the smallest one. */
  readonly sampled_rows: number;
  /** Start of the last successful sync; ISO 8601, UTC; null: unknown. */
  readonly last_sync: string | null;
  readonly related_tables: readonly RelatedTable[];
  /** Always empty: Agnes has no metrics. */
  readonly used_by_metrics: readonly { readonly name: string; readonly file: string }[];
  readonly columns: readonly ColumnProfile[];
  /** At most 5 rows. */
  readonly sample_rows: readonly Readonly<Record<string, ProfileValue>>[];
}

/** What is computed from the rows of a table and kept; everything else is current when the profile is read. */
export interface TableFigures {
  readonly row_count: number;
  readonly duplicate_rows: number;
  readonly sampled: boolean;
  readonly sampled_rows: number;
  readonly columns: readonly Omit<ColumnProfile, "is_primary_key">[];
  /** The first and last day of each column of dates or times, in days since 1970; null for other columns. */
  readonly days: readonly (readonly [number, number] | null)[];
  /** The values of the sample rows, in the order of `columns`. */
  readonly sample_rows: readonly (readonly ProfileValue[])[];
}
