import { defineErrors, errorSpec, formatValue } from "agnes/kit";

/** Returns a size as text, such as `1536 MiB`. */
function bytes(count: number): string {
  const mebibytes = count / 1024 ** 2;
  return mebibytes >= 10 ? `${Math.round(mebibytes)} MiB` : `${count} B`;
}

/** The command for the table of an error, which the caller that knows the table adds. */
const updateOf = ({ tableCommand }: { readonly tableCommand?: { readonly update: string } }): string =>
  tableCommand?.update ?? "agnes table update ID";

/** The error codes of the plugin. */
export const errors = defineErrors("bigquery", {
  project_missing: errorSpec<{ variable: string }>({
    isDataError: true,
    status: 400,
    exit: 2,
    message: (d) => `the project is not set: neither \`project\` nor the variable ${d.variable}`,
    hint: () => "Set `project` in the options of the source, or the variable.",
  }),
  project_conflict: errorSpec<{
    option: string;
    place: string;
    value: string;
    otherPlace: string;
    otherValue: string;
  }>({
    isDataError: true,
    status: 400,
    exit: 2,
    message: (d) =>
      `there are two values of \`${d.option}\`: ${d.place} is ${formatValue(d.value)}, and ${d.otherPlace} is ${formatValue(d.otherValue)}`,
    hint: (d) => `Set \`${d.option}\` only, or the same value in both places.`,
  }),
  endpoint_invalid: errorSpec<{ option: string; reason: string }>({
    isDataError: true,
    status: 400,
    exit: 2,
    message: (d) => `the option \`${d.option}\` is not valid: ${d.reason}`,
    hint: () => "Set it to an https address, or to that of an emulator on this machine.",
  }),
  credentials_missing: errorSpec<{ reason: string }>({
    isDataError: true,
    status: 401,
    exit: 2,
    message: (d) => `there are no credentials for BigQuery: ${d.reason}`,
    hint: () =>
      "Set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account, or run `gcloud auth application-default login`.",
  }),
  credentials_invalid: errorSpec<{ origin: string; reason: string }>({
    isDataError: true,
    status: 401,
    exit: 2,
    message: (d) => `the credentials in ${d.origin} cannot be used: ${d.reason}`,
    hint: () => "Create a new JSON key of the service account, or sign in again with `gcloud`.",
  }),
  sign_in_failed: errorSpec<{ origin: string; reason: string }>({
    isDataError: true,
    status: 502,
    retry: "transient",
    message: (d) => `signing in to Google Cloud with ${d.origin} failed: ${d.reason}`,
    hint: () => "Check the credentials and the network, and run it again.",
  }),
  token_rejected: errorSpec<{ origin: string; reason: string }>({
    isDataError: true,
    status: 401,
    message: (d) => `BigQuery rejects the credentials in ${d.origin}: ${d.reason}`,
    hint: () => "Check that the account exists and is enabled, and that `universeDomain` is its cloud.",
  }),
  access_denied: errorSpec<{ what: string; reason: string }>({
    isDataError: true,
    status: 403,
    message: (d) => `BigQuery denies access to ${d.what}: ${d.reason}`,
    hint: () =>
      "Grant the account the roles BigQuery Data Viewer on the data and BigQuery Job User on `billingProject`.",
  }),
  drive_scope_missing: errorSpec<{ what: string; reason: string }>({
    isDataError: true,
    status: 403,
    message: (d) => `BigQuery cannot read the spreadsheet behind ${d.what}: ${d.reason}`,
    hint: () =>
      "Set `driveScope: true` in the options of the source, and share the spreadsheet with the account.",
  }),
  not_found: errorSpec<{ what: string; reason: string }>({
    isDataError: true,
    status: 404,
    message: (d) => `BigQuery did not find ${d.what}: ${d.reason}`,
    hint: () =>
      "Check the names, and `location` in the options of the source: a query finds only tables of its location.",
  }),
  table_missing: errorSpec<{ table: string; project: string }>({
    isDataError: true,
    status: 404,
    message: (d) => `the project ${d.project} has no table ${formatValue(d.table)}`,
    hint: () => "Restore it in BigQuery, or unregister the table; the published data stays until then.",
  }),
  table_invalid: errorSpec<{ table: string; reason: string }>({
    isDataError: true,
    message: (d) => `the table ${formatValue(d.table)} cannot be read: ${d.reason}`,
    hint: () => "Create a view of the table without this column, and register the view.",
  }),
  shards_differ: errorSpec<{
    table: string;
    column: string;
    type: string;
    shard: string;
    otherType: string;
    otherShard: string;
  }>({
    isDataError: true,
    message: (d) =>
      `the shards of ${formatValue(d.table)} cannot be read as one table: column ${formatValue(d.column)} is ${d.type} in ${d.shard} and ${d.otherType} in ${d.otherShard}`,
    hint: () => "Create a view of the shards that casts this column, and register the view.",
  }),
  type_unsupported: errorSpec<{ table: string; column: string; type: string }>({
    isDataError: true,
    message: (d) =>
      `column ${formatValue(d.column)} of ${d.table} has the type ${d.type}, which cannot be read`,
    hint: () => "Select the column as text: `CAST(column AS STRING)`, or leave it out.",
  }),
  value_unreadable: errorSpec<{ table: string; column: string; value: string; reason: string }>({
    isDataError: true,
    message: (d) => `column ${formatValue(d.column)} of ${d.table} has the value ${d.value}: ${d.reason}`,
    hint: () => "Select the column as text: `CAST(column AS STRING)`, or leave it out.",
  }),
  locations_unreachable: errorSpec<{ project: string; locations: readonly string[] }>({
    isDataError: true,
    status: 503,
    retry: "transient",
    message: (d) =>
      `BigQuery cannot list all datasets of project ${d.project}: ${d.locations.join(", ")} cannot be reached`,
    hint: () => "Run it again later; tables of these locations are not treated as deleted.",
  }),
  partition_filter_required: errorSpec<{ table: string; column: string }>({
    isDataError: true,
    status: 400,
    message: (d) =>
      `the table ${formatValue(d.table)} cannot be read whole: it requires a condition on its partition column ${d.column}`,
    hint: () =>
      "Add a condition on that column to the table with the option `--where`, or remove the requirement in BigQuery.",
  }),
  partitions_unknown: errorSpec<{
    table: string;
    reason: string;
    tableCommand?: { readonly update: string };
  }>({
    isDataError: true,
    status: 502,
    message: (d) =>
      `the partitions of table ${formatValue(d.table)} are not known, so the changed ones cannot be read: ${d.reason}`,
    hint: (d) =>
      `Run it again, or read all rows at each sync with \`${updateOf(d)} --strategy full_refresh\`.`,
  }),
  cursor_refused: errorSpec<{
    table: string;
    column: string;
    type: string;
    tableCommand?: { readonly update: string };
  }>({
    isDataError: true,
    status: 409,
    message: (d) =>
      `column ${formatValue(d.column)} of ${formatValue(d.table)} has the type ${d.type}, so it cannot be a cursor`,
    hint: (d) => `Set another cursor column with \`${updateOf(d)} --incremental-column COLUMN\`.`,
  }),
  statement_refused: errorSpec<{ type: string }>({
    isDataError: true,
    status: 403,
    exit: 2,
    message: (d) => `the statement is ${d.type}; only one SELECT is run`,
    hint: () => "Pass one SELECT that changes nothing.",
  }),
  query_invalid: errorSpec<{ reason: string }>({
    isDataError: true,
    status: 400,
    message: (d) => `BigQuery rejects the query: ${d.reason}`,
    hint: () => "Correct the SQL; it is GoogleSQL, the dialect of BigQuery.",
  }),
  estimate_unknown: errorSpec<{ reason: string }>({
    isDataError: true,
    status: 400,
    message: (d) => `the cost of the query cannot be estimated, so it is not run: ${d.reason}`,
    hint: () =>
      "Query a table without that property, such as a copy that a scheduled query in BigQuery writes, or set `allowUnknownEstimates` in the options of the source.",
  }),
  scan_too_large: errorSpec<{ scannedBytes: number | null; limitBytes: number; tables: readonly string[] }>({
    isDataError: true,
    status: 413,
    message: (d) =>
      `the query would bill ${d.scannedBytes === null ? "more" : bytes(d.scannedBytes)}${d.tables.length === 0 ? "" : ` (${d.tables.join(", ")})`}, and the limit is ${bytes(d.limitBytes)}`,
    hint: () =>
      "Select fewer columns, add a condition on the partition column, or raise `maxBytesPerQuery` (for materialized tables `maxBytesPerMaterialize`) in the options of the source.",
  }),
  daily_bytes_used: errorSpec<{ dailyBytes: number; usedBytes: number; neededBytes: number }>({
    isDataError: true,
    status: 429,
    message: (d) =>
      `the query would bill ${bytes(d.neededBytes)}, and ${bytes(d.usedBytes)} of the ${bytes(d.dailyBytes)} per day are used`,
    hint: () => "Run it again after midnight UTC, or raise `dailyBytes` in the options of the source.",
  }),
  result_too_large: errorSpec<{ what: string; unit: string; limit: number }>({
    isDataError: true,
    status: 413,
    message: (d) => `the result of ${d.what} has more than ${d.limit} ${d.unit}`,
    hint: () => "Aggregate the rows in the query, select fewer, or raise the limit.",
  }),
  job_failed: errorSpec<{ job: string; reason: string }>({
    isDataError: true,
    status: 502,
    message: (d) => `job ${d.job} failed in BigQuery: ${d.reason}`,
    hint: () => "Open the job in BigQuery under Job history, and run it again when its cause is resolved.",
  }),
  result_incomplete: errorSpec<{ job: string; rows: number; totalRows: number }>({
    isDataError: true,
    status: 502,
    retry: "transient",
    message: (d) => `the result of job ${d.job} is incomplete: rows returned: ${d.rows}, of ${d.totalRows}`,
    hint: () => "Run it again.",
  }),
  request_refused: errorSpec<{ what: string; reason: string }>({
    isDataError: true,
    status: 400,
    message: (d) => `BigQuery rejected the request for ${d.what}: ${d.reason}`,
    hint: () => "Check the options of the source.",
  }),
  quota_exceeded: errorSpec<{ what: string; reason: string }>({
    isDataError: true,
    status: 429,
    retry: "transient",
    message: (d) => `a quota of BigQuery is used up for ${d.what}: ${d.reason}`,
    hint: () => "Run it again later, or raise the quota in Google Cloud.",
  }),
  unavailable: errorSpec<{ what: string; reason: string; retryAfterMs?: number }>({
    isDataError: true,
    status: 503,
    retry: "transient",
    message: (d) => `BigQuery cannot serve the request for ${d.what} now: ${d.reason}`,
    hint: () => "Run it again later.",
  }),
});
