import type { TableFigures } from "../../lib/profile/types.ts";

export type Cell = number | string | boolean | null;

const isNumber = (cell: Cell): cell is number => typeof cell === "number";

/** The figures that plain JavaScript finds in the cells of one column, in the form of `comparable`. */
export function naiveColumn(cells: readonly Cell[], bins: readonly number[]): object {
  const filled = cells.filter((cell) => cell !== null);
  const keys = filled.map(keyOf);
  const different = new Set(keys).size;
  const numbers = filled.filter(isNumber).filter(Number.isFinite);
  const common = {
    nulls: cells.length - filled.length,
    different,
    alerts: naiveAlerts(cells, filled, keys).toSorted(),
  };
  if (filled.some(isNumber)) return { ...common, numbers: naiveNumbers(filled, numbers, bins) };
  const texts = filled.filter((cell) => typeof cell === "string");
  if (texts.length > 0) {
    const lengths = texts.map((text) => Array.from(text).length);
    const counts = keys.map((key) => keys.filter((other) => other === key).length);
    return {
      ...common,
      lengths: [Math.min(...lengths), Math.max(...lengths), rounded(sum(lengths) / lengths.length)],
      most: Math.max(...counts),
    };
  }
  return { ...common, trues: filled.filter((cell) => cell === true).length };
}

function naiveNumbers(filled: readonly Cell[], numbers: readonly number[], bins: readonly number[]): object {
  const sorted = numbers.toSorted((a, b) => a - b);
  const mean = sum(numbers) / numbers.length;
  const variance = sum(numbers.map((number) => (number - mean) ** 2)) / (numbers.length - 1);
  const quantile = (share: number) => {
    const at = (sorted.length - 1) * share;
    const [low, high] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!];
    return low + (high - low) * (at - Math.floor(at));
  };
  const last = bins.length - 2;
  const counts = bins.slice(1).map((_, bin) => {
    return numbers.filter((number) => {
      const isIn = number >= bins[bin]! && (number < bins[bin + 1]! || bin === last);
      return isIn;
    }).length;
  });
  return {
    range: numbers.length === 0 ? null : [sorted[0]! + 0, sorted.at(-1)! + 0],
    edges: numbers.length === 0 ? null : [sorted[0]! + 0, sorted.at(-1)! + 0],
    mean: numbers.length === 0 ? null : rounded(mean),
    stddev: numbers.length < 2 ? null : rounded(Math.sqrt(variance)),
    quantiles:
      numbers.length === 0 ? [] : [0.05, 0.25, 0.5, 0.75, 0.95].map((share) => rounded(quantile(share))),
    zeros: numbers.filter((number) => number === 0).length,
    negative: numbers.filter((number) => number < 0).length,
    nonFinite: filled.length - numbers.length,
    counts,
  };
}

function naiveAlerts(
  cells: readonly Cell[],
  filled: readonly Cell[],
  keys: readonly string[],
): readonly string[] {
  const different = new Set(keys).size;
  const nulls = (cells.length - filled.length) / cells.length;
  const most = Math.max(0, ...keys.map((key) => keys.filter((other) => other === key).length));
  const isText = filled.some((cell) => typeof cell === "string");
  return [
    ...(nulls > 0.3 ? ["high_missing"] : nulls > 0.05 ? ["missing"] : []),
    ...(filled.length > 1 && different === 1 ? ["constant"] : []),
    ...(filled.length > 1 && different === filled.length ? ["unique"] : []),
    ...(isText && !(filled.length > 1 && different === filled.length) && different > filled.length / 2
      ? ["high_cardinality"]
      : []),
    ...(different > 1 && different <= 50 && most > 0.6 * filled.length ? ["imbalance"] : []),
    ...(filled.filter((cell) => cell === 0).length > filled.length / 2 ? ["zeros"] : []),
  ];
}

/** The figures of a profile in the form of `naiveColumn`. */
export function comparable(column: TableFigures["columns"][number]): object {
  const { numeric_stats: n, string_stats: s, boolean_stats: b } = column;
  const common = {
    nulls: column.null_count,
    different: column.unique_count,
    alerts: column.alerts.map(({ type }) => type as string).toSorted(),
  };
  if (n) {
    const edges = n.histogram.bins as readonly number[];
    return {
      ...common,
      numbers: {
        range: n.min === null ? null : [Number(n.min) + 0, Number(n.max) + 0],
        edges: n.min === null ? null : [edges[0]! + 0, edges.at(-1)! + 0],
        mean: n.mean === null ? null : rounded(n.mean),
        stddev: n.stddev === null ? null : rounded(n.stddev),
        quantiles: [n.p5, n.p25, n.median, n.p75, n.p95].flatMap((value) =>
          value === null ? [] : [rounded(value)],
        ),
        zeros: n.zeros,
        negative: n.negative,
        nonFinite: n.non_finite,
        counts: n.histogram.counts,
      },
    };
  }
  if (s && s.min_length !== null)
    return {
      ...common,
      lengths: [s.min_length, s.max_length, rounded(s.avg_length!)],
      most: s.top_values[0]!.count,
    };
  return { ...common, trues: b?.true_count ?? 0 };
}

/** The rows that equal an earlier one, as SQL compares them. */
export function naiveDuplicates(rows: readonly (readonly Cell[])[]): number {
  return rows.length - new Set(rows.map((row) => JSON.stringify(row.map(keyOf)))).size;
}

/** Equal values in SQL have equal keys: NaN equals NaN, and 0 equals -0. */
function keyOf(cell: Cell): string {
  return isNumber(cell) ? `n${cell + 0}` : typeof cell === "string" ? `s${cell}` : `${cell}`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Ten digits, because the order of additions differs. */
function rounded(number: number): number {
  return Number(number.toPrecision(10)) + 0;
}
