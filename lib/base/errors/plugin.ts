import { errorSpec, formatValue, type Place } from "./spec.ts";
import { orQuarantine, type TableCommand } from "./table-command.ts";

/** Formats a file with line and column, and the imported file if the place is in it. */
function placed(file: string, place: Place | undefined): string {
  if (place === undefined) return file;
  const at = `${place.file}:${place.line}:${place.column}`;
  return place.file === file ? at : `${file}, which imports ${at}`;
}

/** Errors of plugins and their sources. */
export const pluginErrors = {
  plugin_unknown: errorSpec<{
    plugin: string;
    known: readonly string[];
    nearest?: string;
    /** Plugins that could not be loaded, and whether the missing one may be among them. */
    failed?: { readonly isIt: boolean; readonly reasons: readonly string[] };
    /** The place in agnes.yaml. */
    at?: string;
  }>({
    status: 404,
    exit: 2,
    message: (d) =>
      `${d.at === undefined ? "" : `${d.at}: `}there is no plugin ${formatValue(d.plugin)}${d.failed?.isIt === true ? `: ${d.failed.reasons.join("; ")}` : ""}`,
    hint: (d) => {
      if (d.failed?.isIt === true) return "Correct that file, then run the command again.";
      const advice =
        d.nearest !== undefined
          ? `Did you mean ${formatValue(d.nearest)}?`
          : d.known.length > 0
            ? `Available plugins: ${d.known.join(", ")}.`
            : "Add one to the folder `plugins/`, or list it under `plugins:` in agnes.yaml.";
      return d.failed === undefined ? advice : `${advice} Not loaded: ${d.failed.reasons.join("; ")}.`;
    },
  }),
  plugin_invalid: errorSpec<{ plugin: string; reason: string; file?: string; place?: Place }>({
    status: 400,
    exit: 2,
    message: (d) =>
      `the plugin ${formatValue(d.plugin)}${d.file === undefined ? "" : ` of ${placed(d.file, d.place)}`} is not valid: ${d.reason}`,
    hint: () => "Correct the plugin; `agnes connector new NAME` generates a valid example.",
  }),
  package_missing: errorSpec<{ package: string }>({
    status: 500,
    exit: 1,
    message: (d) => `the optional package ${d.package} is not installed`,
    hint: (d) => `Install it in your project: \`npm install ${d.package}\`.`,
  }),
  plugin_load_failed: errorSpec<{
    file: string;
    reason: string;
    /** The location of the failure, in that file or in an imported one. */
    place?: Place;
  }>({
    status: 400,
    exit: 2,
    message: (d) => `could not load a plugin from ${placed(d.file, d.place)}: ${d.reason}`,
    hint: () => "Correct or remove that file; the other plugins are not affected.",
  }),
  plugin_failed: errorSpec<{
    plugin: string;
    source: string;
    operation: string;
    table?: string;
    reason: string;
    /** The code of the error that the plugin threw, if it was an `AgnesError`. */
    code?: string;
    /** The hint of that error. */
    advice?: string;
  }>({
    status: 502,
    message: (d) =>
      `source ${d.source} (plugin ${d.plugin}): ${d.operation}${d.table === undefined ? "" : ` of table ${formatValue(d.table)}`} failed: ${d.reason}`,
    hint: (d) => d.advice ?? "Run again with --verbose to see where in the plugin it failed.",
  }),
  remote_holds_secret: errorSpec<{ plugin: string; source: string; field: string }>({
    status: 502,
    message: (d) =>
      `source ${d.source} (plugin ${d.plugin}): the ${d.field} that remote() returns contains the value of a secret, so it was rejected`,
    hint: () => "Return the name of the secret's variable as tokenEnv instead of its value.",
  }),
  secret_missing: errorSpec<{
    source: string;
    variables: readonly string[];
    descriptions: readonly string[];
  }>({
    status: 400,
    exit: 2,
    message: (d) =>
      `source ${d.source} needs ${d.variables.length === 1 ? "a secret that is" : "secrets that are"} not in the environment: ${d.variables
        .map((name, at) => (d.descriptions[at] ? `${name} (${d.descriptions[at]})` : name))
        .join(", ")}`,
    hint: (d) =>
      `Set ${d.variables.join(", ")} in the environment, or map another variable under \`sources.${d.source}.secrets\` in agnes.yaml.`,
  }),
  capability_missing: errorSpec<{ plugin: string; source: string; capability: string }>({
    status: 400,
    exit: 2,
    message: (d) => `source ${d.source} cannot ${d.capability}: its plugin ${d.plugin} does not declare it`,
    hint: (d) => `Run \`agnes connector show ${d.plugin}\` to see its capabilities.`,
  }),
  scaffold_invalid: errorSpec<{ reason: string }>({
    status: 400,
    exit: 2,
    message: (d) => `cannot create a plugin: ${d.reason}`,
    hint: () => "Choose another name or other capabilities.",
  }),
  source_unavailable: errorSpec<{
    reason: string;
    url?: string;
    status?: number;
    attempts?: number;
    retryAfterMs?: number;
    /** The next step; default: one that depends on `retryAfterMs`. */
    advice?: string;
  }>({
    status: 503,
    retry: "transient",
    message: (d) => d.reason,
    hint: (d) =>
      d.advice ??
      (d.retryAfterMs === undefined
        ? "The source may be available later; run it again."
        : `The source requests a wait of ${Math.ceil(d.retryAfterMs / 1000)} s; run it again after that.`),
  }),
  source_refused: errorSpec<{ reason: string; url?: string; status?: number; advice?: string }>({
    status: 502,
    message: (d) => d.reason,
    hint: (d) =>
      d.advice ??
      (d.url === undefined
        ? "Correct the cause before you run it again; a retry alone does not help."
        : "Check the options of the source; the same request will fail again."),
  }),
  source_unauthorized: errorSpec<{ reason: string; url?: string; status?: number }>({
    status: 502,
    message: (d) => d.reason,
    hint: () =>
      "Check that the secret of the source is correct, has not expired and has permission to read this data.",
  }),
  source_answer_invalid: errorSpec<{ reason: string; url?: string; status?: number }>({
    status: 502,
    message: (d) => d.reason,
    hint: () => "Check that the URL is that of the API; the plugin may also need an update.",
  }),
  literal_unsupported: errorSpec<{ value: string; dialect: string; reason: string }>({
    status: 400,
    message: (d) => `${d.value} cannot be represented in the ${d.dialect} dialect: ${d.reason}`,
    hint: () => "Filter by another value, or let Agnes apply the condition.",
  }),
  value_invalid: errorSpec<{
    table: string;
    row: number;
    column: string;
    value: string;
    reason: string;
    tableCommand?: TableCommand;
  }>({
    status: 502,
    message: (d) =>
      `table ${formatValue(d.table)}, row ${d.row}, column ${formatValue(d.column)}: the value ${d.value} is not valid: ${d.reason}`,
    hint: (d) =>
      `Correct the type that the plugin declares${orQuarantine("the table quarantine such rows", d.tableCommand)}.`,
  }),
} as const;
