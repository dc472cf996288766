import { printable } from "../../lib/base/mod.ts";
import type { Style } from "./style.ts";
import { fitColumns, type FittedColumn } from "./fit-columns.ts";
import { wordsOf, wrap } from "./wrap.ts";

/** A column of a printed table. */
export interface TableColumn {
  readonly name: string;
  /** Numbers are aligned to the right. */
  readonly align?: "left" | "right";
  /** Text for people, which is wrapped between words on a narrow terminal. Other values are always on one line. */
  readonly isText?: boolean;
  /** On a narrow terminal, the column with the lowest number is left out first. Default: it is always shown. */
  readonly leftOut?: number;
}

/** A cell. `null` differs from the text "NULL" by its colour. */
export type Cell = string | null;

/** The text of a rendered table, and the names of the columns that were left out. */
export interface RenderedTable {
  readonly text: string;
  readonly leftOut: readonly string[];
}

const GAP = "  ";
/** Text is not wrapped to less, if it has more. */
const TEXT_WIDTH_MIN = 16;

/** How cells are drawn: their text, and the style of each. */
interface Drawing {
  readonly columns: readonly TableColumn[];
  readonly texts: readonly (readonly string[])[];
  readonly style: Style;
  readonly styled: (row: number, column: number, text: string) => string;
}

/**
 * Lays rows out in columns, with all values in full.
 *
 * @param width columns of the terminal. If the rows are wider, text is wrapped and columns are left out. If that is not
 *   enough, each value gets a line of its own.
 */
export function renderTable(
  columns: readonly TableColumn[],
  rows: readonly (readonly Cell[])[],
  options: { readonly style: Style; readonly width?: number },
): RenderedTable {
  const { width = Number.POSITIVE_INFINITY, style } = options;
  const texts = rows.map((row) => columns.map((_, index) => cellText(row[index] ?? null)));
  const measured = columns.map((column, index) =>
    measure(
      column,
      texts.map((row) => row[index]!),
    ),
  );
  const drawing: Drawing = {
    columns,
    texts,
    style,
    styled: (row, column, text) => ((rows[row]![column] ?? null) === null ? style("dim", text) : text),
  };
  const fitted = fitColumns(measured, width, GAP.length);
  if (fitted === null && rows.length > 0) return { text: renderRecords(drawing, width), leftOut: [] };
  const shown = fitted ?? measured.map(({ naturalWidth }, index) => ({ index, width: naturalWidth }));
  const isShown = new Set(shown.map(({ index }) => index));
  const leftOut = columns.filter((_, index) => !isShown.has(index)).map(({ name }) => name);
  return { text: renderColumns(drawing, shown), leftOut };
}

function measure({ name, isText, leftOut }: TableColumn, cells: readonly string[]) {
  const title = Bun.stringWidth(oneLine(name));
  const naturalWidth = widest(cells, title);
  if (isText !== true) return { naturalWidth, smallestWidth: naturalWidth, leftOut };
  const words = cells.flatMap(wordsOf).map((word) => word.trimEnd());
  const smallestWidth = widest(words, Math.max(title, Math.min(naturalWidth, TEXT_WIDTH_MIN)));
  return { naturalWidth, smallestWidth, leftOut };
}

/** Rows side by side with their titles. */
function renderColumns({ columns, texts, style, styled }: Drawing, shown: readonly FittedColumn[]): string {
  const lineOf = (cells: readonly string[], styleCell: (column: number, text: string) => string) =>
    cells
      .map((text, at) => {
        const { index, width } = shown[at]!;
        const space = " ".repeat(Math.max(0, width - Bun.stringWidth(text)));
        const cell = styleCell(index, text);
        if (columns[index]!.align === "right") return space + cell;
        return at === shown.length - 1 ? cell : cell + space;
      })
      .join(GAP)
      .trimEnd();
  const linesOf = (row: readonly string[], number: number) => {
    const cells = shown.map(({ index, width }) => wrap(row[index]!, width));
    const height = cells.reduce((most, { length }) => Math.max(most, length), 1);
    return Array.from({ length: height }, (_, at) =>
      lineOf(
        cells.map((lines) => lines[at] ?? ""),
        (column, text) => styled(number, column, text),
      ),
    );
  };
  const titles = shown.map(({ index }) => oneLine(columns[index]!.name));
  const rule = shown.map(({ width }) => "─".repeat(width)).join(GAP);
  const lines = [
    lineOf(titles, (_, text) => style("bold", text)),
    style("dim", rule),
    ...texts.flatMap(linesOf),
  ];
  return `${lines.join("\n")}\n`;
}

/** Each value on a line after the name of its column, with an empty line between rows. */
function renderRecords({ columns, texts, style, styled }: Drawing, width: number): string {
  const names = columns.map(({ name }) => oneLine(name));
  const indent = " ".repeat(widest(names, 1)) + GAP;
  const records = texts.map((cells, row) =>
    cells
      .flatMap((cell, column) => {
        const name = names[column]!;
        const label = style("bold", name) + indent.slice(Bun.stringWidth(name));
        const isText = columns[column]!.isText === true;
        const lines = isText ? wrap(cell, Math.max(1, width - indent.length)) : [cell];
        return lines.map((line, at) => ((at === 0 ? label : indent) + styled(row, column, line)).trimEnd());
      })
      .join("\n"),
  );
  return `${records.join("\n\n")}\n`;
}

function widest(texts: readonly string[], least: number): number {
  return texts.reduce((most, text) => Math.max(most, Bun.stringWidth(text)), Math.max(1, least));
}

function cellText(cell: Cell): string {
  return cell === null ? "NULL" : oneLine(cell);
}

/** Text on one line, with control characters escaped. */
export function oneLine(text: string): string {
  return printable(text).replace(/\n/g, "⏎").replace(/\t/g, "⇥");
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
