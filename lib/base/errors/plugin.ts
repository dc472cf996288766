import { errorSpec, shown, type Place } from "./spec.ts";

/** A file with line and column; with the file that it imports, when the place is in that. */
function placed(file: string, place: Place | undefined): string {
  if (place === undefined) return file;
  const at = `${place.file}:${place.line}:${place.column}`;
  return place.file === file ? at : `${file}, which imports ${at}`;
}

/** Codes about plugins and what they reach for. */
export const pluginErrors = {
  plugin_unknown: errorSpec<{
    plugin: string;
    known: readonly string[];
    nearest?: string;
    /** Plugins that could not be loaded, and whether the one that is missing may be among them. */
    failed?: { readonly isIt: boolean; readonly reasons: readonly string[] };
    /** The place in agnes.yaml. */
    at?: string;
  }>({
    status: 404,
    exit: 2,
    message: (d) =>
      `${d.at === undefined ? "" : `${d.at}: `}there is no plugin ${shown(d.plugin)}${d.failed?.isIt === true ? `: ${d.failed.reasons.join("; ")}` : ""}`,
    hint: (d) => {
      if (d.failed?.isIt === true) return "Correct that file, then run the command again.";
      const meant =
        d.nearest !== undefined
          ? `Did you mean ${shown(d.nearest)}?`
          : d.known.length > 0
            ? `The plugins there are: ${d.known.join(", ")}.`
            : "Put one into the folder `plugins/`, or name it under `plugins:` in agnes.yaml.";
      return d.failed === undefined ? meant : `${meant} Not loaded: ${d.failed.reasons.join("; ")}.`;
    },
  }),
  plugin_invalid: errorSpec<{ plugin: string; reason: string; file?: string; place?: Place }>({
    status: 400,
    exit: 2,
    message: (d) =>
      `the plugin ${shown(d.plugin)}${d.file === undefined ? "" : ` of ${placed(d.file, d.place)}`} is not valid: ${d.reason}`,
    hint: () => "Correct the plugin; `agnes connector new` shows what a valid one looks like.",
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
    /** Where it failed, in that file or in one that it imports. */
    place?: Place;
  }>({
    status: 400,
    exit: 2,
    message: (d) => `could not load a plugin from ${placed(d.file, d.place)}: ${d.reason}`,
    hint: () => "Correct that file or remove it; the other plugins work without it.",
  }),
  plugin_failed: errorSpec<{
    plugin: string;
    source: string;
    operation: string;
    table?: string;
    reason: string;
    /** Code of the error that the plugin threw, when it was one of ours. */
    code?: string;
    /** What that error said to do. */
    advice?: string;
  }>({
    status: 502,
    message: (d) =>
      `source ${d.source} (plugin ${d.plugin}): ${d.operation}${d.table === undefined ? "" : ` of table ${shown(d.table)}`} failed: ${d.reason}`,
    hint: (d) => d.advice ?? "Run again with --verbose to see where in the plugin it failed.",
  }),
  remote_holds_secret: errorSpec<{ plugin: string; source: string; field: string }>({
    status: 502,
    message: (d) =>
      `source ${d.source} (plugin ${d.plugin}): the ${d.field} that remote() returns holds the value of a secret, so it is not used`,
    hint: () => "Return the name of the secret's variable as tokenEnv, and leave its value out.",
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
    message: (d) => `cannot make a plugin: ${d.reason}`,
    hint: () => "Choose another name or other capabilities.",
  }),
  source_unavailable: errorSpec<{
    reason: string;
    url?: string;
    status?: number;
    attempts?: number;
    retryAfterMs?: number;
  }>({
    status: 503,
    retry: "transient",
    message: (d) => d.reason,
    hint: (d) =>
      d.retryAfterMs === undefined
        ? "The source may answer later; run it again."
        : `The source asked to wait ${Math.ceil(d.retryAfterMs / 1000)} s; run it again then.`,
  }),
  source_refused: errorSpec<{ reason: string; url?: string; status?: number }>({
    status: 502,
    message: (d) => d.reason,
    hint: () => "The same request will be refused again; check the options of the source.",
  }),
  source_unauthorized: errorSpec<{ reason: string; url?: string; status?: number }>({
    status: 502,
    message: (d) => d.reason,
    hint: () => "Check that the source's secret is right, has not expired and may read what is asked for.",
  }),
  source_answer_invalid: errorSpec<{ reason: string; url?: string; status?: number }>({
    status: 502,
    message: (d) => d.reason,
    hint: () => "Check that the address is the one of the API; the plugin may also need an update.",
  }),
  literal_unsupported: errorSpec<{ value: string; dialect: string; reason: string }>({
    status: 400,
    message: (d) => `${d.value} cannot be written in the SQL of ${d.dialect}: ${d.reason}`,
    hint: () => "Filter by another value, or leave the condition to Agnes.",
  }),
  value_invalid: errorSpec<{
    table: string;
    row: number;
    column: string;
    value: string;
    reason: string;
    advice?: string;
  }>({
    status: 502,
    message: (d) =>
      `table ${shown(d.table)}, row ${d.row}, column ${shown(d.column)}: the value ${d.value} does not fit: ${d.reason}`,
    hint: (d) =>
      d.advice ?? "Correct the type that the plugin declares, or let the table quarantine such rows.",
  }),
} as const;
