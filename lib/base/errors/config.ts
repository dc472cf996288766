import { errorSpec, formatValue } from "./spec.ts";

/** Errors of the workspace and its `agnes.yaml`. */
export const configErrors = {
  workspace_missing: errorSpec<{ directory: string; isSelected?: boolean }>({
    status: 404,
    exit: 2,
    message: (d) => `there is no agnes.yaml in ${d.directory}${d.isSelected === true ? "" : " or above it"}`,
    hint: (d) =>
      d.isSelected === true
        ? "Set --workspace or AGNES_WORKSPACE to the folder that contains it, or run `agnes init DIR` to create one."
        : "Run `agnes init` to create a workspace here, or select one with --workspace.",
  }),
  workspace_exists: errorSpec<{ path: string }>({
    status: 409,
    exit: 2,
    message: (d) => `${d.path} already exists`,
    hint: () => "Choose another folder, or use the existing one.",
  }),
  config_malformed: errorSpec<{ path: string; reason: string; line?: number; column?: number }>({
    status: 400,
    exit: 2,
    message: (d) =>
      `${d.path}${d.line === undefined ? "" : `:${d.line}:${d.column ?? 1}`} is not valid YAML: ${d.reason}`,
    hint: () => "Correct that line; nothing was changed.",
  }),
  config_unknown_key: errorSpec<{ path: string; key: string; nearest?: string; at?: string }>({
    status: 400,
    exit: 2,
    message: (d) => `${d.at ?? d.path}: unknown key ${formatValue(d.key)}`,
    hint: (d) => (d.nearest === undefined ? "Remove it." : `Did you mean ${formatValue(d.nearest)}?`),
  }),
  config_invalid: errorSpec<{
    path: string;
    key: string;
    expected?: string;
    received?: string;
    /** The message of the failed check, instead of the expected and received values. */
    reason?: string;
    /** The location in the file and its content. */
    at?: string;
  }>({
    status: 400,
    exit: 2,
    message: (d) =>
      `${d.at ?? d.path}: ${d.expected === undefined ? d.reason : `${d.key} should be ${d.expected}, but is ${d.received}`}`,
    hint: (d) => (d.received === "missing" ? `Add ${d.key}.` : "Correct the value."),
  }),
  source_unknown: errorSpec<{
    source: string;
    known: readonly string[];
    nearest?: string;
    /** Whether a table name was also accepted. */
    orTable?: boolean;
  }>({
    status: 404,
    exit: 2,
    message: (d) => `there is no source ${d.orTable === true ? "or table " : ""}${formatValue(d.source)}`,
    hint: (d) =>
      d.nearest !== undefined
        ? `Did you mean ${formatValue(d.nearest)}?`
        : d.known.length > 0
          ? `The sources of this workspace are: ${d.known.join(", ")}.`
          : "Add one under `sources:` in agnes.yaml.",
  }),
} as const;
