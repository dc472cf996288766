import { spokenDuration } from "../duration.ts";
import { counted } from "../counted.ts";
import { placeText, type SqlPlace } from "./place.ts";
import { someNames } from "../some-names.ts";
import { errorSpec, formatValue } from "./spec.ts";
import { orQuarantine, type TableCommand } from "./table-command.ts";

/** Errors of the connector runtime. */
export const extractErrors = {
  extract_unreadable: errorSpec<{ path: string; reason: string }>({
    message: (d) => `the extract ${d.path} cannot be read: ${d.reason}`,
    hint: () =>
      "Publish an older generation with `agnes table rollback SOURCE GENERATION`, or move the file away and sync.",
  }),
  extract_foreign: errorSpec<{ path: string }>({
    status: 409,
    message: (d) => `the extract ${d.path} was not written by Agnes, so it was not replaced`,
    hint: () => "Rename the source, or move that folder away.",
  }),
  generation_unknown: errorSpec<{
    directory: string;
    generation: number;
    /** The earlier generations that are kept. */
    known: readonly number[];
    current: number | null;
  }>({
    status: 404,
    exit: 2,
    message: (d) =>
      d.generation === d.current
        ? `generation ${d.generation} is the current one in ${d.directory}`
        : `there is no generation ${d.generation} in ${d.directory}`,
    hint: (d) =>
      d.known.length === 0 ? "No earlier generation is kept." : `Earlier generations: ${d.known.join(", ")}.`,
  }),
  generation_incomplete: errorSpec<{ generation: number; missing: readonly string[] }>({
    status: 409,
    message: (d) =>
      `generation ${d.generation} cannot be published again: ${d.missing.length} of its parts ${d.missing.length === 1 ? "is" : "are"} missing`,
    hint: (d) => `The first missing part is ${d.missing[0] ?? "unknown"}; choose a later generation.`,
  }),
  table_unknown: errorSpec<{
    table: string;
    /** Some of the published tables, with the most similar names. */
    known: readonly string[];
    /** The number of further published tables. */
    more?: number;
    place?: SqlPlace;
    /** Its id, if it is registered. */
    registered?: string;
  }>({
    status: 404,
    exit: 2,
    message: (d) => `no table ${formatValue(d.table)} is published${placeText(d.place)}`,
    hint: (d) => {
      if (d.registered !== undefined) {
        return `It is registered as ${d.registered}; run \`agnes sync ${d.registered}\` to publish it.`;
      }
      if (d.known.length === 0) return "Run `agnes sync` first.";
      const all = d.more === undefined || d.more === 0 ? "" : "; `agnes catalog` lists all";
      return `Published: ${someNames(d.known, d.more)}${all}.`;
    },
  }),
  table_plan_invalid: errorSpec<{ table: string; reason: string; id?: string; option?: string | undefined }>({
    status: 400,
    exit: 2,
    message: (d) => `table ${formatValue(d.table)} cannot be extracted as configured: ${d.reason}`,
    hint: (d) =>
      d.id === undefined
        ? "Correct the table; `agnes table update --help` lists the options."
        : d.option === undefined
          ? `\`agnes table show ${d.id}\` prints its settings, and \`agnes table update --help\` lists what can change.`
          : `Correct the table, for example with \`agnes table update ${[d.id, d.option].join(" ")}\`.`,
  }),
  table_read_failed: errorSpec<{ source: string; table: string; reason: string }>({
    status: 502,
    message: (d) => `reading table ${formatValue(d.table)} of source ${d.source} failed: ${d.reason}`,
    hint: () => "The published data stays; run it again when the cause is resolved.",
  }),
  source_stalled: errorSpec<{ source: string; table: string; idleMs: number }>({
    status: 504,
    retry: "transient",
    message: (d) =>
      `source ${d.source} returned no rows of table ${formatValue(d.table)} for ${spokenDuration(d.idleMs)}`,
    hint: () =>
      "Check the source and run it again; a connector that yields nothing for minutes calls `onProgress` meanwhile.",
  }),
  read_expired: errorSpec<{ what: string; rows: number; reason: string }>({
    isDataError: true,
    status: 503,
    retry: "transient",
    message: (d) => `the source ended the read of ${d.what}; rows read before: ${d.rows}: ${d.reason}`,
    hint: () =>
      "Run it again. A read that takes longer than the source keeps it open needs a condition, with `--where`.",
  }),
  batch_invalid: errorSpec<{ table: string; batch: number; reason: string }>({
    status: 502,
    message: (d) => `batch ${d.batch} of table ${formatValue(d.table)} is not valid: ${d.reason}`,
    hint: () => "A connector yields Arrow record batches, arrays of row objects, or file chunks.",
  }),
  batch_schema_mismatch: errorSpec<{ table: string; batch: number; differences: readonly string[] }>({
    status: 502,
    message: (d) =>
      `batch ${d.batch} of table ${formatValue(d.table)} does not match the declared columns: ${d.differences.join("; ")}`,
    hint: () => "Make the batches of the connector match the tables that its discover returns.",
  }),
  bad_value: errorSpec<{ table: string; reason: string; tableCommand?: TableCommand }>({
    status: 502,
    message: (d) => `a value of table ${formatValue(d.table)} does not match its column: ${d.reason}`,
    hint: (d) =>
      `Correct the type that the plugin declares${orQuarantine("the table quarantine such rows", d.tableCommand)}.`,
  }),
  deletions_without_key: errorSpec<{ id: string; table: string }>({
    status: 502,
    message: (d) =>
      `the connector yielded deletions for table ${formatValue(d.table)}, which has no primary key`,
    hint: (d) => `Set the key of the table with \`agnes table update ${d.id} --primary-key COLUMNS\`.`,
  }),
  deletions_in_live_read: errorSpec<{ id: string; table: string }>({
    status: 502,
    message: (d) =>
      `the connector yielded deletions in a live read of table ${formatValue(d.table)}, whose rows were already returned`,
    hint: (d) =>
      `Yield deletions only in reads with a cursor, or copy the table: \`agnes table update ${d.id} --mode local\`.`,
  }),
  quarantine_exceeded: errorSpec<{
    id: string;
    table: string;
    rejected: number;
    read: number;
    maxPercent: number;
    reason: string;
    path: string;
    /** The file without any remaining row. */
    origin?: string;
  }>({
    status: 502,
    message: (d) =>
      `${d.rejected} of ${counted(d.read, "row")} of table ${formatValue(d.table)} ${d.rejected === 1 ? "was" : "were"} rejected (${
        d.rejected < d.read
          ? `at most ${d.maxPercent} % may be`
          : `no row${d.origin === undefined ? "" : ` of ${d.origin}`} was left`
      }), so the published data stays; ${d.rejected === 1 ? "the reason" : "the most frequent reason"}: ${d.reason}`,
    hint: (d) =>
      d.rejected < d.read
        ? `See ${d.path} for the rejected rows; correct the source, or allow more with \`agnes table update ${d.id} --quarantine-max-percent ${Math.ceil((d.rejected * 100) / d.read)}\`.`
        : `See ${d.path} for the rejected rows; correct the source, or the types of its columns. Published rows are never replaced by an empty table.`,
  }),
  rows_lost: errorSpec<{
    table: string;
    yielded: number;
    written: number;
    where: string;
    /** Whether the rows were written back to a source, not published. */
    isWriteBack?: boolean;
  }>({
    message: (d) =>
      d.isWriteBack === true
        ? `${d.where} accepted ${counted(d.written, "row")} of ${d.yielded} for its table ${formatValue(d.table)}`
        : `table ${formatValue(d.table)} returned ${counted(d.yielded, "row")} but ${d.written} ${d.written === 1 ? "is" : "are"} in ${d.where}; it was not published`,
    hint: (d) =>
      d.isWriteBack === true
        ? "Compare the table in the source with the rows; part of them may be written."
        : "This is a bug in Agnes or a disk error; run it again and report it if it persists.",
  }),
  schema_frozen: errorSpec<{ id: string; table: string; changes: readonly string[] }>({
    status: 409,
    message: (d) =>
      `the schema of table ${formatValue(d.table)} is frozen, but the source changed it: ${d.changes.join("; ")}`,
    hint: (d) => `Accept the change with \`agnes table update ${d.id} --schema-policy evolve\`.`,
  }),
  schema_change_unsafe: errorSpec<{ id: string; table: string; changes: readonly string[] }>({
    status: 409,
    message: (d) =>
      `table ${formatValue(d.table)} has an incompatible schema change: ${d.changes.join("; ")}`,
    hint: (d) => `Accept the change and read the whole table with \`agnes sync ${d.id} --full\`.`,
  }),
  primary_key_repeated: errorSpec<{
    id: string;
    table: string;
    columns: readonly string[];
    keys: number;
    rows: number;
    example: string;
  }>({
    status: 502,
    message: (d) =>
      `the read of table ${formatValue(d.table)} returned ${counted(d.rows, "extra row")} for ${counted(d.keys, "value")} of the primary key (${d.columns.join(", ")}), for example ${d.example}; the published data stays`,
    hint: (d) =>
      `Correct the primary key, for example with \`agnes table update ${d.id} --primary-key COLUMNS\`, or fix the connector that yields rows twice.`,
  }),
  replace_invalid: errorSpec<{ table: string; column: string; value: string; reason: string }>({
    status: 502,
    message: (d) =>
      `the rows of a parent cannot be replaced in table ${formatValue(d.table)}: column ${formatValue(d.column)} is ${d.value}: ${d.reason}`,
    hint: () =>
      "Correct the connector: `parent` names columns of the table, and each row contains the same values.",
  }),
  primary_key_null: errorSpec<{
    table: string;
    columns: readonly string[];
    rows: number;
    tableCommand?: TableCommand;
  }>({
    status: 502,
    message: (d) =>
      `${counted(d.rows, "row")} of table ${formatValue(d.table)} ${d.rows === 1 ? "has" : "have"} no value in the primary key (${d.columns.join(", ")})`,
    hint: (d) =>
      `Correct the primary key of the table${orQuarantine("it quarantine such rows", d.tableCommand)}.`,
  }),
} as const;
