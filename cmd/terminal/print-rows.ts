import { plural } from "./figures.ts";
import type { Terminal } from "./terminal.ts";
import { renderTable, type Cell, type TableColumn } from "./print-table.ts";

/**
 * Prints rows in columns that fit the terminal, and warns on stderr if columns were omitted.
 * A column is a name, or a name and an alignment.
 *
 * @returns what was printed
 */
export async function printRows(
  terminal: Terminal,
  columns: readonly (string | TableColumn)[],
  rows: readonly (readonly Cell[])[],
): Promise<string> {
  const { stdout } = process;
  const rendered = renderTable(
    columns.map((column) => (typeof column === "string" ? { name: column } : column)),
    rows,
    { style: terminal.style, ...(stdout.isTTY ? { width: stdout.columns } : {}) },
  );
  await terminal.print(rendered.text);
  if (rendered.hiddenColumns > 0) {
    terminal.warn(
      `the terminal is too narrow for ${plural(rendered.hiddenColumns, "more column")}; --json shows ${rendered.hiddenColumns === 1 ? "it" : "them"}`,
    );
  }
  return rendered.text;
}
