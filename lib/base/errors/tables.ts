import { someNames } from "../some-names.ts";
import { errorSpec, formatValue } from "./spec.ts";

/** One change since the version that a stale writer expected. */
export interface ForeignChange {
  readonly version: number;
  readonly actor: string;
  readonly action: string;
  readonly id: string;
  readonly fields: readonly string[];
}

/** Errors of the table registry and its files. */
export const tablesErrors = {
  table_not_registered: errorSpec<{ id: string; nearest?: string }>({
    status: 404,
    exit: 2,
    message: (d) => `there is no registered table ${formatValue(d.id)}`,
    hint: (d) =>
      d.nearest === undefined
        ? `\`agnes table list\` lists the registered tables; \`agnes table register ${registration(d.id)}.`
        : `Did you mean ${formatValue(d.nearest)}?`,
  }),
  table_exists: errorSpec<{ id: string; existing: string }>({
    status: 409,
    exit: 2,
    message: (d) =>
      d.id === d.existing
        ? `the table ${formatValue(d.id)} is already registered`
        : `the table ${formatValue(d.id)} differs from the registered ${formatValue(d.existing)} only in case`,
    hint: (d) =>
      `\`agnes table show ${d.existing}\` prints its settings; change it, or register the other table under another --name.`,
  }),
  table_view_taken: errorSpec<{ viewName: string; owner: string; suggestion: string }>({
    status: 409,
    exit: 2,
    message: (d) => `the view name ${formatValue(d.viewName)} already belongs to ${formatValue(d.owner)}`,
    hint: (d) => `Choose another, for example --as ${d.suggestion}.`,
  }),
  table_field_unknown: errorSpec<{ what: string; field: string; nearest?: string }>({
    status: 400,
    exit: 2,
    message: (d) => `${d.what}: there is no field ${formatValue(d.field)}`,
    hint: (d) =>
      d.nearest === undefined
        ? "Remove it; the fields are listed in docs/guide/tables.md."
        : `Did you mean ${formatValue(d.nearest)}?`,
  }),
  table_field_missing: errorSpec<{ what: string; field: string; reason: string }>({
    status: 400,
    exit: 2,
    message: (d) => `${d.what}: ${d.field} is missing: ${d.reason}`,
    hint: (d) => `Set ${d.field}.`,
  }),
  table_field_invalid: errorSpec<{ what: string; field: string; reason: string; nearest?: string }>({
    status: 400,
    exit: 2,
    message: (d) => `${d.what}: ${d.field} ${d.reason}`,
    hint: (d) => (d.nearest === undefined ? "Correct the value." : `Did you mean ${formatValue(d.nearest)}?`),
  }),
  table_field_fixed: errorSpec<{ id: string; field: string }>({
    status: 400,
    exit: 2,
    message: (d) => `${d.field} of ${formatValue(d.id)} cannot change: it is part of the table's identity`,
    hint: () => "Rename the view with --as, or unregister the table and register it again.",
  }),
  table_contradiction: errorSpec<{
    id: string;
    fields: readonly string[];
    reason: string;
    instead: string;
  }>({
    status: 400,
    exit: 2,
    message: (d) => `${formatValue(d.id)}: ${d.fields.join(" and ")} contradict each other: ${d.reason}`,
    hint: (d) => d.instead,
  }),
  source_query_invalid: errorSpec<{
    id: string;
    field?: string;
    reason: string;
    /** An example with all fields. Missing if the form of the query is correct. */
    form?: string;
    nearest?: string;
    /** The columns of the table, if the query names another one. */
    columns?: readonly string[];
    /** Whether the table is registered, so that a sync reports its name. */
    isRegistered?: boolean;
  }>({
    status: 400,
    exit: 2,
    message: (d) =>
      `${d.isRegistered === true ? "" : `${formatValue(d.id)}: `}${d.field === undefined ? "source_query" : `${d.field} of source_query`} ${d.reason}${
        d.form === undefined ? "" : `; write it as JSON with any of these fields: ${d.form}`
      }`,
    hint: (d) =>
      [
        ...(d.nearest === undefined ? [] : [`Did you mean ${formatValue(d.nearest)}?`]),
        ...(d.nearest === undefined && d.columns !== undefined
          ? [`The columns are ${someNames(d.columns)}.`]
          : []),
        ...(d.isRegistered === true
          ? [`Correct the query with \`agnes table update ${d.id} --source-query QUERY\`.`]
          : d.nearest === undefined
            ? ["Correct the option `--source-query`."]
            : []),
      ].join(" "),
  }),
  schedule_invalid: errorSpec<{ text: string; reason: string }>({
    status: 400,
    exit: 2,
    message: (d) => `the schedule ${formatValue(d.text)} is not valid: ${d.reason}`,
    hint: () =>
      "Write `every 15m`, `every 6h`, `daily 05:00,17:00`, or five cron fields such as `0 5 * * 1`; times are UTC unless followed by a time zone.",
  }),
  table_version_stale: errorSpec<{
    what: string;
    expected: number;
    current: number;
    changes: readonly ForeignChange[];
  }>({
    status: 412,
    message: (d) =>
      d.expected > d.current
        ? `${d.what} is at version ${d.current}; the expected version ${d.expected} does not exist`
        : `${d.what} is at version ${d.current}, but version ${d.expected} was expected; changes since then: ${formatChanges(d.changes)}`,
    hint: (d) =>
      d.expected > d.current
        ? `Repeat with version ${d.current}.`
        : `Review the changes, and repeat with version ${d.current}.`,
  }),
  data_description_malformed: errorSpec<{ path: string; reason: string }>({
    status: 400,
    exit: 2,
    message: (d) => `${d.path} is not a data description: ${d.reason}`,
    hint: () => "It needs one ```yaml block with a list `tables:`; `agnes table export` creates such a file.",
  }),
  data_description_edited: errorSpec<{ path: string; expected: string; found: string }>({
    status: 409,
    exit: 2,
    message: (d) =>
      `${d.path} was changed after it was generated: its checksum is ${formatValue(d.expected)}, its content has ${formatValue(d.found)}`,
    hint: () =>
      "If the change is intended, import it with --edited; otherwise change the registry and export again.",
  }),
  registry_export_malformed: errorSpec<{
    path: string;
    reason: string;
    /** Whether it has the `_metadata` of a file from an earlier system. */
    isUpstream?: boolean;
  }>({
    status: 400,
    exit: 2,
    message: (d) => `${d.path} is not an exported registry: ${d.reason}`,
    hint: (d) =>
      d.isUpstream === true
        ? "Its `_metadata` identifies a table_registry.json of the earlier system, which also needs a list `tables` and may have `folder_mapping`."
        : "`agnes table export --format json` creates one; a table_registry.json of the earlier system has `_metadata`.",
  }),
  table_import_refused: errorSpec<{
    path: string;
    failures: readonly { readonly table: string; readonly code: string; readonly message: string }[];
  }>({
    status: 400,
    exit: 2,
    message: (d) =>
      `${d.path}: ${d.failures.length === 1 ? "one table is" : `${d.failures.length} tables are`} not valid, so nothing was imported: ${d.failures
        .slice(0, 5)
        .map((failure) => failure.message)
        .join("; ")}${d.failures.length > 5 ? "; …" : ""}`,
    hint: () => "Correct them and import again, or skip them with --skip-invalid.",
  }),
} as const;

/** The end of the advice to register a table, with the words of its id if it has the form of one. */
function registration(id: string): string {
  const [, source, table] = /^([a-z]\w*)\.([a-z]\w*)$/i.exec(id) ?? [];
  return source === undefined ? "SOURCE TABLE` adds one" : `${source} ${table}\` adds it`;
}

function formatChanges(changes: readonly ForeignChange[]): string {
  const last = changes.slice(-5).map((change) => {
    const fields = change.fields.length === 0 ? "" : ` (${change.fields.join(", ")})`;
    return `version ${change.version}, ${change.action} of ${formatValue(change.id)}${fields} by ${formatValue(change.actor, 60)}`;
  });
  return `${changes.length > 5 ? `${changes.length}, the last of them ` : ""}${last.join("; ")}`;
}
