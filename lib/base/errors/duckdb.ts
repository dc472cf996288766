import { counted } from "../counted.ts";
import { errorSpec, shown } from "./spec.ts";

/** What DuckDB itself, or data on its way in or out of it, can fail with. */
export const duckdbErrors = {
  duckdb_failed: errorSpec<{ operation: string; kind: string; reason: string }>({
    message: (d) => `DuckDB could not run ${d.operation}: ${d.reason}`,
    hint: () => "Correct the statement; `agnes doctor` checks the files it reads.",
  }),
  duckdb_out_of_memory: errorSpec<{ operation: string; reason: string }>({
    status: 507,
    message: (d) => `DuckDB ran out of memory in ${d.operation}: ${d.reason}`,
    hint: () => "Allow DuckDB more memory or temporary disk space, or ask for less at once.",
  }),
  duckdb_busy: errorSpec<{ operation: string }>({
    message: (d) => `${d.operation} cannot run: the connection is still returning rows of another query`,
    hint: () => "Read that query to its end or stop it, or use another connection.",
  }),
  duckdb_stuck: errorSpec<{
    what: string;
    calls: number;
    /** How many of them wait for another system. Default: none. */
    attaches?: number;
  }>({
    status: 503,
    retry: "transient",
    message: (d) =>
      `${d.what} cannot run: ${counted(d.calls, "call")} of DuckDB that cannot be interrupted hold the threads of this process` +
      (d.attaches === undefined
        ? ""
        : `; ${d.attaches} of them ${d.attaches === 1 ? "waits" : "wait"} for a remote system to answer`),
    hint: () =>
      "Try again when they have returned, or restart the process; UV_THREADPOOL_SIZE, set before it starts, gives it more threads.",
  }),
  file_unreadable: errorSpec<{
    path: string;
    reason: string;
    /** Default: for what is damaged or described wrongly. */
    advice?: string;
  }>({
    message: (d) => `could not read ${shown(d.path, 400)}: ${d.reason}`,
    hint: (d) =>
      d.advice ??
      "It may be damaged, or not be what the options say: correct either and run `agnes sync` again.",
  }),
  file_row_invalid: errorSpec<{
    file: string;
    line: number;
    reason: string;
    text: string;
    /** Default: for CSV. */
    advice?: string;
  }>({
    status: 502,
    message: (d) => `${shown(d.file, 400)}, line ${d.line}: ${d.reason}: ${shown(d.text, 200)}`,
    hint: (d) => d.advice ?? "Correct the file, or describe it under `csv` in agnes.yaml.",
  }),
  file_value_invalid: errorSpec<{
    file: string;
    line: number | null;
    column: string;
    value: string;
    type: string;
    /** Default: of what may be done in general. */
    advice?: string;
  }>({
    status: 502,
    message: (d) =>
      `${shown(d.file, 400)}, ${d.line === null ? "" : `line ${d.line}, `}column ${d.column}: ${shown(d.value, 200)} is not ${d.type}`,
    hint: (d) =>
      d.advice ??
      "Correct the file, give the column another type under `types`, or let the table quarantine rows.",
  }),
  file_reading_outdated: errorSpec<{ file: string; reason: string }>({
    status: 502,
    message: (d) => `${shown(d.file, 400)} is not what it was when its table was described: ${d.reason}`,
    hint: () => "Run `agnes sync` again: it describes the table again.",
  }),
  batch_malformed: errorSpec<{ column: string; reason: string; advice?: string }>({
    message: (d) => `column ${shown(d.column)} of an Arrow batch cannot be used: ${d.reason}`,
    hint: (d) => d.advice ?? "Correct the code that builds the batch.",
  }),
  type_unsupported: errorSpec<{ column: string; type: string }>({
    message: (d) => `column ${shown(d.column)} has the type ${shown(d.type)}, which has no counterpart`,
    hint: () =>
      "Let the source write the column in another type, text for example; `types` of a file cannot bring back what DuckDB does not read.",
  }),
} as const;
