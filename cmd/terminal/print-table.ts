import { printable } from "../../lib/base/mod.ts";
import type { Style } from "./style.ts";

/** A column of a printed table. */
export interface TableColumn {
  readonly name: string;
  /** Numbers are aligned to the right. */
  readonly align?: "left" | "right";
}

/** A cell. `null` differs from the text "NULL" by its colour. */
export type Cell = string | null;

/** The text of a rendered table, and the number of omitted columns. */
export interface RenderedTable {
  readonly text: string;
  readonly hiddenColumns: number;
  readonly shortenedCells: number;
}

const GAP = "  ";
const CELL_WIDTH_MAX = 120;
const CELL_WIDTH_MIN = 8;

/**
 * Lays rows out in columns.
 *
 * @param width columns of the terminal; wide columns are shortened to fit, then the last ones omitted
 */
export function renderTable(
  columns: readonly TableColumn[],
  rows: readonly (readonly Cell[])[],
  options: { readonly style: Style; readonly width?: number },
): RenderedTable {
  const { style, width = Number.POSITIVE_INFINITY } = options;
  const names = columns.map((column) => oneLine(column.name));
  const texts = rows.map((row) => columns.map((_, index) => row[index] ?? null).map(cellText));
  const natural = names.map((name, index) =>
    Math.max(1, Bun.stringWidth(name), ...texts.map((row) => Bun.stringWidth(row[index]!))),
  );
  const widths = fitWidths(natural, width);
  let shortenedCells = 0;
  const line = (cells: readonly string[], styleCell: (text: string, index: number) => string) =>
    widths
      .map((cellWidth, index) => {
        const text = cells[index]!;
        const fitted = shorten(text, cellWidth);
        if (fitted !== text) shortenedCells++;
        const space = " ".repeat(Math.max(0, cellWidth - Bun.stringWidth(fitted)));
        const styled = styleCell(fitted, index);
        if (columns[index]!.align === "right") return space + styled;
        return index === widths.length - 1 ? styled : styled + space;
      })
      .join(GAP)
      .trimEnd();
  const lines = [
    line(names, (text) => style("bold", text)),
    style("dim", widths.map((cellWidth) => "─".repeat(cellWidth)).join(GAP)),
    ...texts.map((cells, row) =>
      line(cells, (text, index) => ((rows[row]![index] ?? null) === null ? style("dim", text) : text)),
    ),
  ];
  return { text: `${lines.join("\n")}\n`, hiddenColumns: columns.length - widths.length, shortenedCells };
}

function cellText(cell: Cell): string {
  return cell === null ? "NULL" : oneLine(cell);
}

/** Text on one line, with control characters escaped. */
export function oneLine(text: string): string {
  return printable(text).replace(/\n/g, "⏎").replace(/\t/g, "⇥");
}

/** The widths of the visible columns: their natural widths if they fit, otherwise the widest are shortened first. */
function fitWidths(natural: readonly number[], total: number): readonly number[] {
  const widths = natural.map((width) => Math.min(width, CELL_WIDTH_MAX));
  const smallest = widths.map((width) => Math.min(width, CELL_WIDTH_MIN));
  while (widths.length > 1 && lineWidth(smallest.slice(0, widths.length)) > total) widths.pop();
  let excess = lineWidth(widths) - total;
  while (excess > 0) {
    const widest = Math.max(...widths);
    const at = widths.lastIndexOf(widest);
    const next = Math.max(smallest[at]!, ...widths.filter((width) => width < widest));
    if (widest === next) break;
    const cut = Math.min(excess, widest - next);
    widths[at] = widest - cut;
    excess -= cut;
  }
  return widths;
}

function lineWidth(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, 0) + GAP.length * (widths.length - 1);
}

/** Text of at most this width; a shortened one ends with `…`. */
export function shorten(text: string, width: number): string {
  if (Bun.stringWidth(text) <= width) return text;
  let kept = "";
  let used = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    used += Bun.stringWidth(segment);
    if (used > width - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}
