import {
  abortError,
  AgnesError,
  formatValue,
  inspected,
  isAgnesError,
  printable,
  readableError,
  redact,
  redactError,
  redactThrown,
  redactValue,
  type Retry,
} from "../../base/mod.ts";

/** The plugin and source of a failure. */
export interface Origin {
  readonly plugin: string;
  readonly source: string;
  /** Values to redact; the set may grow while the source is used. */
  readonly secrets: ReadonlySet<string>;
  /** The error codes that the plugin declares. Default: none. */
  readonly codes?: ReadonlySet<string>;
}

/** The operation that failed. */
export interface Operation {
  /** A verb such as `read` or `discover`. */
  readonly operation: string;
  readonly table?: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Wraps a value thrown by a plugin exactly once as `plugin_failed`, without secrets. The retry class is kept.
 *
 * `aborted` and `timed_out` are not wrapped if Agnes requested the stop, nor are errors in the data of the source, such
 * as `source_path_empty` or `file_value_invalid`.
 */
export function pluginFailure(error: unknown, origin: Origin, operation: Operation): AgnesError {
  try {
    return failureOf(readableError(error), origin, operation);
  } catch {
    // A proxy may be readable once and throw later; its error may contain anything.
    return wrapped({ reason: "it threw a value that cannot be read" }, origin, operation);
  }
}

function failureOf(thrown: unknown, origin: Origin, operation: Operation): AgnesError {
  if (isAgnesError(thrown, "plugin_failed") || isAgnesError(thrown, "aborted"))
    return redactError(thrown, origin.secrets);
  if (operation.signal?.aborted === true)
    return abortError(operation.signal, `the ${operation.operation} of source ${origin.source}`);
  const { code, advice, retry } = redactValue(agnesFields(thrown), origin.secrets);
  const isDeclared = code === undefined || isKnownCode(code, origin);
  if (isAgnesError(thrown) && thrown.isDataError && isDeclared) return redactError(thrown, origin.secrets);
  const details = {
    reason: printable(redact(thrownReason(thrown), origin.secrets)),
    ...(code === undefined || !isDeclared ? {} : { code }),
    ...(isDeclared
      ? advice !== undefined && { advice }
      : { advice: `Declare ${formatValue(code)} with defineErrors, as \`errors\` of the plugin.` }),
  };
  const cause = redactThrown(thrown, origin.secrets);
  return wrapped(details, origin, operation, { cause, ...(retry === undefined ? {} : { retry }) });
}

/** Whether a code is one of Agnes, or one that the plugin declares. */
function isKnownCode(code: string, { codes }: Origin): boolean {
  return !code.includes("/") || codes?.has(code) === true;
}

function wrapped(
  details: { readonly reason: string; readonly code?: string; readonly advice?: string },
  { plugin, source }: Origin,
  { operation, table }: Operation,
  options: { readonly cause?: unknown; readonly retry?: Retry } = {},
): AgnesError {
  const place = { plugin, source, operation, ...(table === undefined ? {} : { table }) };
  return new AgnesError("plugin_failed", { ...place, ...details }, options);
}

function thrownReason(thrown: unknown): string {
  if (!(thrown instanceof Error)) return `it threw ${inspected(thrown)}`;
  return thrown.message === "" ? `it threw ${thrown.name}` : thrown.message;
}

/** Checks the name and not the class, because a plugin from a package may use another copy of the kit. */
function agnesFields(thrown: unknown): {
  readonly code?: string;
  readonly advice?: string;
  readonly retry?: Retry;
} {
  if (!(thrown instanceof Error) || thrown.name !== "AgnesError") return {};
  const { code, hint, retry } = thrown as Partial<AgnesError>;
  return {
    ...(typeof code === "string" ? { code } : {}),
    ...(typeof hint === "string" && hint !== "" ? { advice: hint } : {}),
    ...(retry === "transient" || retry === "permanent" ? { retry } : {}),
  };
}
