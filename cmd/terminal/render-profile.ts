import type { ColumnProfile, TableProfile } from "../../lib/profile/mod.ts";
import { countText, plural, sizeText } from "./figures.ts";
import { oneLine, renderTable, shorten, type TableColumn } from "./print-table.ts";
import type { Style } from "./style.ts";

/** How a profile is drawn. */
interface Drawing {
  readonly style: Style;
  /** The columns of the terminal; infinite without one. */
  readonly width: number;
}

type Limit = string | number | null;

/** One bar: what it counts, and how many. */
interface Bar {
  readonly label: string;
  readonly count: number;
  /** The share in percent, if it is shown. */
  readonly pct?: number;
}

const BAR_WIDTH_MAX = 40;
const LABEL_WIDTH_MAX = 40;
const BARS_MAX = 16;
const COMPLETE_WIDTH = 10;
const HEIGHTS = " ▁▂▃▄▅▆▇█";

/** Draws the overview of all columns: completeness, different values, range, and the distribution as a line. */
export function renderOverview({ columns }: TableProfile, { style, width }: Drawing): string {
  const rows = columns.map((column) => [
    column.name,
    column.type,
    completeness(column),
    countText(column.unique_count),
    rangeOf(column),
    lineOf(column),
  ]);
  const titles: readonly TableColumn[] = [
    { name: "column" },
    { name: "type", isText: true },
    { name: "complete", leftOut: 2 },
    { name: "unique", align: "right" },
    { name: "range", isText: true },
    { name: "distribution", leftOut: 1 },
  ];
  return renderTable(titles, rows, { style, width }).text;
}

/** Draws one column: its figures, and its histogram or most frequent values as bars. */
export function renderColumn(column: ColumnProfile, profile: TableProfile, drawing: Drawing): string {
  const { style } = drawing;
  const key = column.is_primary_key ? ", primary key" : "";
  const lines = [
    `${style("bold", oneLine(column.name))}  ${style("dim", `${oneLine(column.type)}${key}`)}`,
    `  ${completeness(column)}  ${countText(column.null_count)} null, ${approximately(profile)}${countText(column.unique_count)} different`,
    ...figuresOf(column).map((line) => `  ${shorten(oneLine(line), Math.max(20, drawing.width - 2))}`),
    ...bars(barsOf(column), drawing),
    ...column.alerts.map(({ type, message }) => `  ${style("yellow", type)}: ${message}`),
  ];
  return `${lines.join("\n")}\n`;
}

/** The facts about the whole table, one per line. */
export function profileFacts(profile: TableProfile): readonly string[] {
  const { row_count, column_count, duplicate_rows, avg_completeness, file_size_mb: size } = profile;
  const { date_range: dates, related_tables: related } = profile;
  return [
    [
      `${plural(row_count, "row")}, ${plural(column_count, "column")}`,
      ...(size === null ? [] : [size < 0.001 ? "less than 1 kB" : sizeText(size * 1e6)]),
      ...(avg_completeness === null ? [] : [`${avg_completeness} % of the values are not null`]),
      plural(duplicate_rows, "duplicate row"),
    ].join(", "),
    ...(dates === null ? [] : [`dates from ${dates.earliest} to ${dates.latest}`]),
    ...(profile.sampled
      ? [
          `percentiles, histograms and frequent values are those of ${countText(profile.sampled_rows)} random rows; numbers of different values are estimates`,
        ]
      : []),
    ...related.map(({ table, direction, join_column, foreign_column }) => {
      const how = direction === "belongs_to" ? "belongs to" : "has many";
      const by = [join_column, foreign_column === null ? null : `${table}.${foreign_column}`];
      return `${how} ${table} (${by.filter((name) => name !== null).join(" = ")})`;
    }),
  ];
}

function approximately({ sampled }: TableProfile): string {
  return sampled ? "about " : "";
}

function completeness({ completeness_pct: pct }: ColumnProfile): string {
  if (pct === null) return "no rows";
  // Only a complete column has a full bar, and only an empty one none.
  const filled = pct === 100 ? COMPLETE_WIDTH : pct === 0 ? 0 : inside((pct / 100) * COMPLETE_WIDTH);
  return `${"█".repeat(filled)}${"░".repeat(COMPLETE_WIDTH - filled)} ${pct} %`;
}

function inside(width: number): number {
  return Math.min(COMPLETE_WIDTH - 1, Math.max(1, Math.round(width)));
}

function rangeOf({ numeric_stats, date_stats, string_stats, boolean_stats }: ColumnProfile): string {
  if (numeric_stats) return between(numeric_stats.min, numeric_stats.max);
  if (date_stats) return between(date_stats.earliest, date_stats.latest);
  if (boolean_stats) return `${boolean_stats.true_pct} % true`;
  if (string_stats?.min_length == null) return "";
  const { min_length: min, max_length: max } = string_stats;
  return `length ${min === max ? min : between(min, max)}`;
}

function between(low: Limit, high: Limit): string {
  return low === null ? "" : low === high ? String(low) : `${low} … ${high}`;
}

/** The histogram, or the frequent values, as one line of blocks. */
function lineOf(column: ColumnProfile): string {
  const counts = barsOf(column).map(({ count }) => count);
  const most = Math.max(1, ...counts);
  return counts
    .map((count) => HEIGHTS[count === 0 ? 0 : Math.max(1, Math.round((count / most) * (HEIGHTS.length - 1)))])
    .join("");
}

function figuresOf({ numeric_stats: n, date_stats: d, string_stats: s }: ColumnProfile): readonly string[] {
  const named = (entries: readonly (readonly [string, Limit])[]) =>
    entries.flatMap(([name, value]) => (value === null ? [] : [`${name} ${shortNumber(value)}`])).join("  ");
  if (n) {
    const { min, median, mean, max, stddev, p5, p25, p75, p95, zeros, negative, non_finite } = n;
    return [
      named(Object.entries({ min, mean, max, stddev })),
      named(Object.entries({ p5, p25, median, p75, p95 })),
      named([
        ["zeros", zeros],
        ["negative", negative],
        ...(non_finite > 0 ? [["NaN or infinite", non_finite] as const] : []),
      ]),
    ].filter((line) => line !== "");
  }
  if (d)
    return d.earliest === null ? [] : [`${d.earliest} … ${d.latest}, ${plural(d.span_days ?? 0, "day")}`];
  if (s?.min_length == null) return [];
  return [
    named([
      ["length", between(s.min_length, s.max_length)],
      ["mean", s.avg_length],
    ]),
  ];
}

/** A number with at most six digits after rounding; other values unchanged. */
function shortNumber(value: string | number): string {
  return typeof value === "number" && !Number.isInteger(value)
    ? String(Number(value.toPrecision(6)))
    : String(value);
}

function barsOf({ numeric_stats, date_stats, boolean_stats, string_stats }: ColumnProfile): readonly Bar[] {
  if (numeric_stats) {
    const { bins, counts } = numeric_stats.histogram;
    return counts.map((count, at) => ({
      label:
        bins[at] === bins[at + 1]
          ? shortNumber(bins[at]!)
          : `${shortNumber(bins[at]!)} … ${shortNumber(bins[at + 1]!)}`,
      count,
    }));
  }
  if (date_stats) return quarterBars(date_stats.histogram);
  if (boolean_stats) {
    const { true_count: trues, false_count: falses } = boolean_stats;
    return [
      { label: "true", count: trues },
      { label: "false", count: falses },
    ];
  }
  return (string_stats?.top_values ?? []).map(({ value, count, pct }) => ({ label: value, count, pct }));
}

/** At most 16 bars; each may be several quarters. */
function quarterBars({
  bins,
  counts,
}: {
  readonly bins: readonly (string | number)[];
  readonly counts: readonly number[];
}): readonly Bar[] {
  const step = Math.ceil(counts.length / BARS_MAX);
  const starts = counts.flatMap((_, at) => (at % step === 0 ? [at] : []));
  return starts.map((start) => {
    const end = Math.min(start + step, counts.length);
    return {
      label: between(bins[start]!, bins[end - 1]!),
      count: counts.slice(start, end).reduce((sum, count) => sum + count, 0),
    };
  });
}

function bars(shown: readonly Bar[], { style, width }: Drawing): readonly string[] {
  const most = Math.max(1, ...shown.map(({ count }) => count));
  const labelMax = Math.max(8, Math.min(LABEL_WIDTH_MAX, Math.floor(width / 3)));
  const labels = shown.map(({ label }) => shorten(oneLine(label), labelMax));
  const labelWidth = Math.max(0, ...labels.map((label) => Bun.stringWidth(label)));
  const figures = shown.map(
    ({ count, pct }) => `${countText(count)}${pct === undefined ? "" : ` (${pct} %)`}`,
  );
  const figureWidth = Math.max(0, ...figures.map((text) => text.length));
  const barWidth = Math.max(4, Math.min(BAR_WIDTH_MAX, width - labelWidth - figureWidth - 6));
  return shown.map(({ count }, at) => {
    const length = count === 0 ? 0 : Math.max(1, Math.round((count / most) * barWidth));
    const label = labels[at]! + " ".repeat(labelWidth - Bun.stringWidth(labels[at]!));
    return `  ${label}  ${style("cyan", "█".repeat(length))}${length === 0 ? "" : " "}${figures[at]}`;
  });
}
