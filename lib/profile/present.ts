import type { CheckedEntry, DocumentedTable } from "../query/mod.ts";
import type { TableRecord } from "../tables/mod.ts";
import { relatedTables } from "./related.ts";
import type { StoredProfile } from "./store.ts";
import type { TableFigures, TableProfile, TypeCategory } from "./types.ts";
import { percentOf } from "./values.ts";

/** What a profile shows besides its figures. */
export interface ProfileContext {
  /** The table as its caller may see it. */
  readonly table: DocumentedTable;
  readonly entry: CheckedEntry;
  /** Null: the table is not registered. */
  readonly record: TableRecord | null;
  /** The registered tables that the caller may access. */
  readonly accessible: readonly TableRecord[];
  readonly stale: TableProfile["stale"];
}

/**
 * Returns a profile with the figures of those columns that its caller may query. A column that is not part of the table
 * anymore, or not for this caller, is left out with all its values.
 */
export function presentProfile(
  { figures, generated_at, generation }: StoredProfile,
  { table, entry, record, accessible, stale }: ProfileContext,
): TableProfile {
  const visible = new Set(table.schema.map(({ name }) => name));
  const shown = [...figures.columns.keys()].filter((at) => visible.has(figures.columns[at]!.name));
  const keys = new Set(table.primaryKey.map((name) => name.toLowerCase()));
  const columns = shown.map((at) => {
    const { name, ...column } = figures.columns[at]!;
    return { name, ...column, is_primary_key: keys.has(name.toLowerCase()) };
  });
  const cells = figures.row_count * columns.length;
  const missing = columns.reduce((sum, { null_count }) => sum + null_count, 0);
  return {
    version: "1.0",
    table_id: table.id,
    name: table.name,
    generated_at,
    generation,
    stale,
    description: record?.description || table.description,
    primary_key: table.primaryKey,
    sync_strategy: record?.syncStrategy ?? null,
    row_count: figures.row_count,
    column_count: columns.length,
    file_size_mb: entry.sizeBytes === null ? null : Math.round(entry.sizeBytes / 1000) / 1000,
    avg_completeness: cells === 0 ? null : percentOf(cells - missing, cells),
    missing_cells: missing,
    missing_cells_pct: percentOf(missing, cells),
    duplicate_rows: figures.duplicate_rows,
    variable_types: countsOf(columns.map(({ type_category }) => type_category)),
    date_range: dateRange(figures, shown),
    alerts: columns.flatMap(({ name, alerts }) => alerts.map((alert) => ({ column: name, ...alert }))),
    sampled: figures.sampled,
    sampled_rows: figures.sampled_rows,
    last_sync: entry.checkedAt,
    related_tables: relatedTables(table, accessible).filter(
      ({ join_column: column }) =>
        column === null || table.schema.some(({ name }) => name.toLowerCase() === column.toLowerCase()),
    ),
    used_by_metrics: [],
    columns,
    sample_rows: figures.sample_rows.map((row) =>
      Object.fromEntries(shown.map((at) => [figures.columns[at]!.name, row[at] ?? null])),
    ),
  };
}

function countsOf(categories: readonly TypeCategory[]): TableProfile["variable_types"] {
  const counts: Partial<Record<TypeCategory, number>> = {};
  for (const category of categories) counts[category] = (counts[category] ?? 0) + 1;
  return counts;
}

/** The range of the dates and times of the shown columns. */
function dateRange({ columns, days }: TableFigures, shown: readonly number[]): TableProfile["date_range"] {
  const ranges = shown.flatMap((at) => {
    const [range, stats] = [days[at], columns[at]!.date_stats];
    if (range == null || stats?.earliest == null || stats.latest === null) return [];
    return [{ first: range[0], last: range[1], earliest: stats.earliest, latest: stats.latest }];
  });
  if (ranges.length === 0) return null;
  const first = ranges.reduce((a, b) => (isBefore([b.first, b.earliest], [a.first, a.earliest]) ? b : a));
  const last = ranges.reduce((a, b) => (isBefore([a.last, a.latest], [b.last, b.latest]) ? b : a));
  return { earliest: first.earliest, latest: last.latest, span_days: last.last - first.first };
}

/** Compares days, and then the texts of times of the same day. */
function isBefore(
  [dayA, textA]: readonly [number, string],
  [dayB, textB]: readonly [number, string],
): boolean {
  return dayA < dayB || (dayA === dayB && textA < textB);
}
