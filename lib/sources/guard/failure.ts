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

/** Whose failure it is. */
export interface Origin {
  readonly plugin: string;
  readonly source: string;
  /** Values that the message must not show; may grow while the source is used. */
  readonly secrets: ReadonlySet<string>;
}

/** What the plugin was doing. */
export interface Operation {
  /** A verb: `read`, `discover`. */
  readonly operation: string;
  readonly table?: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Wraps whatever a plugin threw, exactly once, as `plugin_failed` without secrets; the retry class stays.
 *
 * A stop that we asked for stays what it is: `aborted`, `timed_out`. So does an error about what the source holds, such
 * as `source_path_empty` or `file_value_invalid`: the plugin works.
 */
export function pluginFailure(given: unknown, origin: Origin, operation: Operation): AgnesError {
  const thrown = readableError(given);
  const { signal, table } = operation;
  if (isAgnesError(thrown, "plugin_failed") || isAgnesError(thrown, "aborted"))
    return redactError(thrown, origin.secrets);
  const what = `the ${operation.operation} of source ${origin.source}`;
  if (signal?.aborted === true) return abortError(signal, what);
  if (isAgnesError(thrown) && thrown.isDataError) return redactError(thrown, origin.secrets);
  const { code, advice, retry } = redactValue(ownWords(thrown), origin.secrets);
  return new AgnesError(
    "plugin_failed",
    {
      plugin: origin.plugin,
      source: origin.source,
      operation: operation.operation,
      ...(table === undefined ? {} : { table }),
      reason: printable(redact(wordsOf(thrown), origin.secrets)),
      ...(code === undefined ? {} : { code }),
      ...(advice === undefined ? {} : { advice }),
    },
    { cause: redactThrown(thrown, origin.secrets), ...(retry === undefined ? {} : { retry }) },
  );
}

function wordsOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return `it threw ${inspected(thrown)}`;
  return thrown.message === "" ? `it threw ${thrown.name}` : thrown.message;
}

/** By name and not by class, since a plugin from a package may hold a kit of its own. */
function ownWords(thrown: unknown): {
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
