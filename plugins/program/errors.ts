import { defineErrors, errorSpec, formatValue } from "agnes/kit";

/** The error codes of the plugin. */
export const errors = defineErrors("program", {
  program_failed: errorSpec<{ reason: string; lastLines: readonly string[] }>({
    isDataError: true,
    status: 502,
    message: (d) => `the program failed: ${d.reason}${linesText(d.lastLines)}`,
    hint: () =>
      "Correct the program or `command` in agnes.yaml; `agnes sync --verbose` prints all lines of its stderr.",
  }),
  program_stopped: errorSpec<{ reason: string }>({
    isDataError: true,
    status: 504,
    message: (d) => `the program was stopped: ${d.reason}`,
    hint: () => "Let it write a line to stderr while it works, or raise the limits in agnes.yaml.",
  }),
  result_invalid: errorSpec<{ reason: string }>({
    isDataError: true,
    status: 502,
    message: (d) => `the program ended without a result: ${d.reason}`,
    hint: () => 'Print one line of JSON as the last line on stdout, such as {"tables": {}}.',
  }),
  extract_invalid: errorSpec<{ reason: string; advice?: string }>({
    isDataError: true,
    status: 502,
    message: (d) => `the extract of the program cannot be read: ${d.reason}`,
    hint: (d) =>
      d.advice ??
      "Write extract.duckdb with the table _meta into the folder that the program gets as `directory`.",
  }),
  table_missing: errorSpec<{ table: string }>({
    isDataError: true,
    status: 404,
    message: (d) => `the program wrote no table ${formatValue(d.table)}`,
    hint: () => "Let it write the table and its row of _meta, or remove it from `tables` in agnes.yaml.",
  }),
  table_failed: errorSpec<{ table: string; reason: string }>({
    isDataError: true,
    status: 502,
    message: (d) => `the program could not extract the table ${formatValue(d.table)}: ${d.reason}`,
    hint: () => "Correct the cause, and sync the source again.",
  }),
  table_unreadable: errorSpec<{ table: string; reason: string }>({
    isDataError: true,
    status: 502,
    message: (d) => `the table ${formatValue(d.table)} of the program cannot be read: ${d.reason}`,
    hint: () =>
      "Let it read only files in the folder that the program gets as `directory`, by absolute paths.",
  }),
});

/** Longer lines are cut off. */
const LINE_LENGTH_MAX = 300;

function linesText(lines: readonly string[]): string {
  if (lines.length === 0) return "";
  const texts = lines.map((line) => formatValue(line, LINE_LENGTH_MAX));
  const what = lines.length === 1 ? "its last line" : "its last lines";
  return `; ${what} on stderr: ${texts.join(", ")}`;
}
