import type { Terminal } from "./terminal.ts";
import { renderTable, type Cell, type TableColumn } from "./print-table.ts";

/**
 * Prints rows in columns that fit the terminal, and reports on stderr which columns were left out. A column is a name, or a
 * name with its alignment and its importance.
 */
export async function printRows(
  terminal: Terminal,
  columns: readonly (string | TableColumn)[],
  rows: readonly (readonly Cell[])[],
): Promise<void> {
  const { stdout } = process;
  const { text, leftOut } = renderTable(
    columns.map((column) => (typeof column === "string" ? { name: column } : column)),
    rows,
    { style: terminal.style, ...(stdout.isTTY ? { width: stdout.columns } : {}) },
  );
  await terminal.print(text);
  if (leftOut.length > 0) terminal.info(`A wider terminal, or --json, also shows: ${leftOut.join(", ")}`);
}

/** A column of text for people, which is wrapped on a narrow terminal. */
export function textColumn(name: string, leftOut?: number): TableColumn {
  return { name, isText: true, ...(leftOut !== undefined && { leftOut }) };
}
