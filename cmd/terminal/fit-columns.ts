/** The widths of a column: that of its values, and the smallest to which it can be wrapped. */
interface MeasuredColumn {
  readonly naturalWidth: number;
  readonly smallestWidth: number;
  /** The column with the lowest number is left out first. Default: it is always shown. */
  readonly leftOut: number | undefined;
}

/** A column that is shown, by its index, with its width. */
export interface FittedColumn {
  readonly index: number;
  readonly width: number;
}

/** The columns that fit a width, with the widest ones wrapped first; null: even the necessary ones do not fit. */
export function fitColumns(
  columns: readonly MeasuredColumn[],
  total: number,
  gap: number,
): readonly FittedColumn[] | null {
  let shown = columns.map((column, index) => ({ ...column, index }));
  const widthOf = (key: "naturalWidth" | "smallestWidth") =>
    shown.reduce((sum, column) => sum + column[key], 0) + gap * (shown.length - 1);
  const order = shown
    .filter(({ leftOut }) => leftOut !== undefined)
    .toSorted((a, b) => a.leftOut! - b.leftOut!);
  for (const least of order) {
    if (widthOf("smallestWidth") <= total) break;
    shown = shown.filter((column) => column.index !== least.index);
  }
  if (widthOf("smallestWidth") > total) return null;
  const widthsAt = (most: number) =>
    shown.map((column) => Math.min(column.naturalWidth, Math.max(column.smallestWidth, most)));
  const fits = (most: number) =>
    widthsAt(most).reduce((sum, width) => sum + width, gap * (shown.length - 1)) <= total;
  // The largest width at which the columns fit, when wider ones are wrapped to it.
  let fitting = 0;
  let wide = Math.max(...shown.map(({ naturalWidth }) => naturalWidth)) + 1;
  if (fits(wide)) fitting = wide;
  while (wide - fitting > 1) {
    const middle = Math.floor((fitting + wide) / 2);
    if (fits(middle)) fitting = middle;
    else wide = middle;
  }
  const widths = widthsAt(fitting);
  return shown.map(({ index }, at) => ({ index, width: widths[at]! }));
}
