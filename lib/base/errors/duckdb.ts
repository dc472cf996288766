import { counted } from "../counted.ts";
import { errorSpec, formatValue } from "./spec.ts";
import { orQuarantine, type TableCommand } from "./table-command.ts";

/** Errors of DuckDB and of data passed to or from it. */
export const duckdbErrors = {
  duckdb_failed: errorSpec<{ operation: string; kind: string; reason: string }>({
    message: (d) => `DuckDB could not run ${d.operation}: ${d.reason}`,
    hint: () => "Correct the statement, or the files that it reads.",
  }),
  duckdb_out_of_memory: errorSpec<{ operation: string; reason: string }>({
    status: 507,
    message: (d) => `DuckDB ran out of memory in ${d.operation}: ${d.reason}`,
    hint: () => "Give DuckDB more memory or temporary disk space, or request less data at once.",
  }),
  duckdb_busy: errorSpec<{ operation: string }>({
    message: (d) => `${d.operation} cannot run: the connection is still returning rows of another query`,
    hint: () => "Read all rows of that query or stop it, or use another connection.",
  }),
  duckdb_stuck: errorSpec<{
    what: string;
    calls: number;
    /** How many of them wait for a remote system. Default: none. */
    attaches?: number;
  }>({
    status: 503,
    retry: "transient",
    message: (d) =>
      `${d.what} cannot run: ${counted(d.calls, "uninterruptible DuckDB call")} ${d.calls === 1 ? "occupies" : "occupy"} the threads of this process` +
      (d.attaches === undefined
        ? ""
        : `; ${d.attaches} of them ${d.attaches === 1 ? "waits" : "wait"} for a remote system`),
    hint: () => "Try again when they have returned, or restart the process with a larger UV_THREADPOOL_SIZE.",
  }),
  file_unreadable: errorSpec<{
    path: string;
    reason: string;
    /** Default: advice for damaged or wrongly described files. */
    advice?: string;
    /**
     * If only one value is unreadable: the columns that can be read without it, as an argument of `--columns`; `null` if
     * there are none.
     */
    otherColumns?: string | null;
    tableCommand?: TableCommand;
  }>({
    isDataError: true,
    message: (d) => `could not read ${formatValue(d.path, 400)}: ${d.reason}`,
    hint: (d) => {
      if (d.otherColumns === undefined) {
        return (
          d.advice ??
          "The file may be damaged or not match the options: correct either and run `agnes sync` again."
        );
      }
      const command = d.tableCommand?.update ?? "agnes table update ID";
      const columns =
        d.otherColumns === null
          ? ""
          : `, or leave the column out: \`${command} --columns ${d.otherColumns}\``;
      return `Write the file again without that value${columns}.`;
    },
  }),
  file_row_invalid: errorSpec<{
    file: string;
    line: number;
    reason: string;
    text: string;
    /** Default: advice for the format. */
    advice?: string;
    /** Default: CSV. */
    format?: "csv" | "json";
    tableCommand?: TableCommand;
  }>({
    isDataError: true,
    status: 502,
    message: (d) => `${formatValue(d.file, 400)}, line ${d.line}: ${d.reason}: ${formatValue(d.text, 200)}`,
    hint: (d) => {
      if (d.advice !== undefined) return d.advice;
      return d.format === "json"
        ? `Correct the file${orQuarantine("the table quarantine rows", d.tableCommand)}.`
        : "Correct the file, or describe it under `csv` in agnes.yaml.";
    },
  }),
  file_value_invalid: errorSpec<{
    file: string;
    line: number | null;
    column: string;
    value: string;
    type: string;
    tableCommand?: TableCommand;
  }>({
    isDataError: true,
    status: 502,
    message: (d) =>
      `${formatValue(d.file, 400)}, ${d.line === null ? "" : `line ${d.line}, `}column ${d.column}: ${formatValue(d.value, 200)} is not ${d.type}`,
    hint: (d) =>
      `Correct the file${d.tableCommand?.hasTypes === true ? ", set another type for the column under `types`" : " or the type of the column in its source"}${orQuarantine("the table quarantine rows", d.tableCommand)}.`,
  }),
  file_reading_outdated: errorSpec<{ file: string; reason: string }>({
    isDataError: true,
    status: 502,
    message: (d) => `${formatValue(d.file, 400)} has changed since its table was described: ${d.reason}`,
    hint: () => "Run `agnes sync` to describe the table again.",
  }),
  batch_malformed: errorSpec<{ column: string; reason: string; advice?: string }>({
    message: (d) => `column ${formatValue(d.column)} of an Arrow batch cannot be used: ${d.reason}`,
    hint: (d) => d.advice ?? "Correct the code that builds the batch.",
  }),
  type_unsupported: errorSpec<{ column: string; type: string }>({
    message: (d) =>
      `column ${formatValue(d.column)} has the type ${formatValue(d.type)}, which has no equivalent`,
    hint: () =>
      "Write the column with another type in the source, such as text; `types` cannot restore values that DuckDB does not read.",
  }),
} as const;
