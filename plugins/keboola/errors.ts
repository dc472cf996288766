import { defineErrors, errorSpec, formatValue } from "agnes/kit";

/** Returns a size as text, such as `1536 MiB`. */
function bytes(count: number): string {
  const mebibytes = count / 1024 ** 2;
  return mebibytes >= 10 ? `${Math.round(mebibytes)} MiB` : `${count} B`;
}

/** The error codes of the plugin. */
export const errors = defineErrors("keboola", {
  stack_missing: errorSpec<{ variable: string }>({
    isDataError: true,
    status: 400,
    exit: 2,
    message: (d) => `the URL of the Keboola stack is not set: neither \`url\` nor the variable ${d.variable}`,
    hint: () =>
      "Set `url` in the options of the source, such as https://connection.keboola.com, or the variable.",
  }),
  stack_invalid: errorSpec<{ reason: string }>({
    isDataError: true,
    status: 400,
    exit: 2,
    message: (d) => `the URL of the Keboola stack is not valid: ${d.reason}`,
    hint: () =>
      "Set `url` to the address of the stack alone, such as https://connection.eu-central-1.keboola.com.",
  }),
  address_private: errorSpec<{ host: string; address: string; kind: string }>({
    isDataError: true,
    status: 403,
    message: (d) => `the host ${formatValue(d.host)} has the address ${d.address}, which is ${d.kind}`,
    hint: () =>
      "Correct `url` in the options of the source, or set `allowPrivateAddress: true` for a stack in your own network.",
  }),
  address_unknown: errorSpec<{ host: string; reason: string }>({
    isDataError: true,
    status: 502,
    retry: "transient",
    message: (d) => `the address of the host ${formatValue(d.host)} cannot be determined: ${d.reason}`,
    hint: () => "Check `url` in the options of the source and the network, and run it again.",
  }),
  token_rejected: errorSpec<{ variable: string; reason: string }>({
    isDataError: true,
    status: 401,
    message: (d) => `Keboola rejects the token in ${d.variable}: ${d.reason}`,
    hint: (d) =>
      `Create a token in the project under Settings → API Tokens, and set it as ${d.variable}. A token works on its own stack only.`,
  }),
  project_mismatch: errorSpec<{ variable: string; expected: string; found: string; name: string }>({
    isDataError: true,
    status: 403,
    message: (d) =>
      `the token in ${d.variable} belongs to project ${d.found} (${formatValue(d.name)}), not to project ${d.expected}`,
    hint: () => "Set a token of that project, or correct `projectId` in the options of the source.",
  }),
  branch_missing: errorSpec<{ branch: string }>({
    isDataError: true,
    status: 404,
    exit: 2,
    message: (d) => `the project has no branch ${d.branch}`,
    hint: () =>
      "Correct or remove `branch` in the options of the source, and check it with `agnes connector health`.",
  }),
  access_denied: errorSpec<{ variable: string; what: string; reason: string }>({
    isDataError: true,
    status: 403,
    message: (d) => `the token in ${d.variable} may not read ${d.what}: ${d.reason}`,
    hint: () => "Grant the token access to the bucket in Keboola, or unregister the table.",
  }),
  table_missing: errorSpec<{ table: string; branch?: string }>({
    isDataError: true,
    status: 404,
    message: (d) =>
      `the project has no table ${formatValue(d.table)}${d.branch === undefined ? "" : `, neither in branch ${d.branch} nor in the default branch`}`,
    hint: () => "Restore it in Keboola, or unregister the table; the published data stays until then.",
  }),
  table_invalid: errorSpec<{ table: string; reason: string }>({
    isDataError: true,
    message: (d) => `the table ${formatValue(d.table)} cannot be read: ${d.reason}`,
    hint: () => "Correct the table in Keboola, or exclude its bucket with the option `buckets`.",
  }),
  partition_filter_required: errorSpec<{ table: string; column: string | null }>({
    isDataError: true,
    status: 400,
    message: (d) =>
      `the table ${formatValue(d.table)} cannot be exported whole: it requires a condition on its partition column${d.column === null ? "" : ` ${d.column}`}`,
    hint: () =>
      "Add a condition `eq` on the partition column to the table with the option `--where`, or remove the requirement in Keboola.",
  }),
  condition_required: errorSpec<{
    table: string;
    tableBytes: number | null;
    remoteMaxBytes: number;
    /** The largest LIMIT that is read. */
    rowsMax: number;
    /** The LIMIT of the query that Keboola applies. */
    limit: number | null;
    tableCommand?: { readonly update: string };
  }>({
    isDataError: true,
    status: 413,
    message: (d) =>
      `the table ${formatValue(d.table)} is too large to read ${d.limit === null ? "all of it" : `it with LIMIT ${d.limit}`} for a query: ${d.tableBytes === null ? "Keboola does not report its size" : `it has ${bytes(d.tableBytes)}`}, and \`remoteMaxBytes\` is ${bytes(d.remoteMaxBytes)}`,
    hint: (d) =>
      `Add a condition that Keboola applies, such as \`column = 'value'\`${d.rowsMax < 1 ? "" : `, or a LIMIT of at most ${d.rowsMax} without conditions`}; or copy the table: \`${d.tableCommand?.update ?? "agnes table update ID"} --mode local\`; or raise \`remoteMaxBytes\` in the options of the source.`,
  }),
  request_refused: errorSpec<{ what: string; reason: string; advice?: string }>({
    isDataError: true,
    status: 400,
    message: (d) => `Keboola rejected ${d.what}: ${d.reason}`,
    hint: (d) => d.advice ?? "Correct the columns and conditions of the table with `agnes table update`.",
  }),
  unavailable: errorSpec<{ what: string; reason: string; retryAfterMs?: number }>({
    isDataError: true,
    status: 503,
    retry: "transient",
    message: (d) => `the request to Keboola for ${d.what} failed: ${d.reason}`,
    hint: (d) =>
      d.retryAfterMs === undefined
        ? "Run it again later."
        : `Keboola is in maintenance or overloaded; run it again in ${Math.ceil(d.retryAfterMs / 60_000)} min.`,
  }),
  export_failed: errorSpec<{ table: string; job: string; reason: string }>({
    isDataError: true,
    status: 502,
    message: (d) => `job ${d.job}, the export of ${formatValue(d.table)}, failed in Keboola: ${d.reason}`,
    hint: () => "Open the job in Keboola under Jobs; run `agnes sync` again when its cause is resolved.",
  }),
  export_lost: errorSpec<{ table: string; what: string }>({
    isDataError: true,
    status: 502,
    retry: "transient",
    message: (d) => `the export of ${formatValue(d.table)} is lost: Keboola no longer knows ${d.what}`,
    hint: () => "Run `agnes sync` again; it starts a new export.",
  }),
  file_refused: errorSpec<{ table: string; reason: string }>({
    isDataError: true,
    status: 502,
    retry: "transient",
    message: (d) =>
      `the cloud storage of Keboola rejected a file of the export of ${formatValue(d.table)}, also with new credentials: ${d.reason}`,
    hint: () => "Run `agnes sync` again.",
  }),
  file_untrusted: errorSpec<{ table: string; reason: string }>({
    isDataError: true,
    status: 502,
    message: (d) => `a file of the export of ${formatValue(d.table)} is not read: ${d.reason}`,
    hint: () => "Report it to the administrator of the stack; the published data stays.",
  }),
  cursor_refused: errorSpec<{ table: string; column: string; tableCommand?: { readonly update: string } }>({
    isDataError: true,
    status: 409,
    message: (d) =>
      `the table ${formatValue(d.table)} has the cursor column ${formatValue(d.column)}, but Keboola reports changes of all rows`,
    // A sync adds the command for the table.
    hint: (d) =>
      `Remove its cursor column with \`${d.tableCommand?.update ?? "agnes table update ID"} --clear incremental-column\`.`,
  }),
  changes_unknown: errorSpec<{ table: string }>({
    isDataError: true,
    status: 409,
    message: (d) => `Keboola does not keep the time of changes of the rows of ${formatValue(d.table)}`,
    hint: () => "Remove changed_since and changed_until from its source_query.",
  }),
  write_off: errorSpec<{ table: string }>({
    isDataError: true,
    status: 403,
    exit: 2,
    message: (d) => `the source does not allow writing to ${formatValue(d.table)}`,
    hint: () => "Set `write: true` in the options of the source.",
  }),
  write_denied: errorSpec<{ variable: string; table: string; reason: string }>({
    isDataError: true,
    status: 403,
    message: (d) => `the token in ${d.variable} may not write to ${formatValue(d.table)}: ${d.reason}`,
    hint: () => "Grant the token write access to the bucket in Keboola.",
  }),
  write_refused: errorSpec<{ table: string; reason: string; advice: string }>({
    isDataError: true,
    status: 400,
    exit: 2,
    message: (d) => `nothing was written to ${formatValue(d.table)}: ${d.reason}`,
    hint: (d) => d.advice,
  }),
  upload_refused: errorSpec<{ table: string; reason: string }>({
    isDataError: true,
    status: 502,
    retry: "transient",
    message: (d) =>
      `nothing was written to ${formatValue(d.table)}: the cloud storage of Keboola does not accept the rows: ${d.reason}`,
    hint: () => "Run it again.",
  }),
  import_failed: errorSpec<{ table: string; job: string; reason: string }>({
    isDataError: true,
    status: 502,
    message: (d) => `job ${d.job}, the import into ${formatValue(d.table)}, failed in Keboola: ${d.reason}`,
    hint: () => "The table keeps its earlier rows; open the job in Keboola under Jobs.",
  }),
  import_unknown: errorSpec<{ table: string; reason: string }>({
    isDataError: true,
    status: 502,
    message: (d) =>
      `it is not known whether the rows were imported into ${formatValue(d.table)}: ${d.reason}`,
    hint: () => "Check the table and its jobs in Keboola before you run it again.",
  }),
});
