import {
  abortError,
  AgnesError,
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
  const thrown = readableError(error);
  const { signal, table } = operation;
  if (isAgnesError(thrown, "plugin_failed") || isAgnesError(thrown, "aborted"))
    return redactError(thrown, origin.secrets);
  const what = `the ${operation.operation} of source ${origin.source}`;
  if (signal?.aborted === true) return abortError(signal, what);
  if (isAgnesError(thrown) && thrown.isDataError) return redactError(thrown, origin.secrets);
  const { code, advice, retry } = redactValue(agnesFields(thrown), origin.secrets);
  return new AgnesError(
    "plugin_failed",
    {
      plugin: origin.plugin,
      source: origin.source,
      operation: operation.operation,
      ...(table === undefined ? {} : { table }),
      reason: printable(redact(thrownReason(thrown), origin.secrets)),
      ...(code === undefined ? {} : { code }),
      ...(advice === undefined ? {} : { advice }),
    },
    { cause: redactThrown(thrown, origin.secrets), ...(retry === undefined ? {} : { retry }) },
  );
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
    ...(hint === undefined ? {} : { advice: hint }),
    ...(retry === undefined ? {} : { retry }),
  };
}
