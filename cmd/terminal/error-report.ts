import {
  bigintAsText,
  causesOf,
  isAgnesError,
  messageOf,
  printable,
  readableError,
  redact,
} from "../../lib/base/mod.ts";
import { labelled, withIndent } from "./messages.ts";
import type { Style } from "./style.ts";

interface ReportOptions {
  readonly json: boolean;
  readonly verbose: boolean;
  readonly style: Style;
  /** The part that failed while the rest continued: a source, a table, a file. Default: the whole command failed. */
  readonly subject?: string;
}

/** The text of an error, and the exit status of a command that ends with it. */
export interface ErrorReport {
  readonly text: string;
  readonly status: number;
}

/** Reports an error and its remedy, in a few lines or as one line of JSON. */
export function errorReport(thrown: unknown, options: ReportOptions): ErrorReport {
  const error = readableError(thrown);
  const known = isAgnesError(error) ? error : undefined;
  const code = known?.code ?? "internal";
  const status = known?.exitCode ?? 1;
  const message = cleanText(known?.message ?? `Agnes failed unexpectedly: ${messageOf(error)}`);
  const hint = cleanText(known?.hint ?? "Run the command again with --verbose and report its output.");
  const { subject, style } = options;
  if (options.json) {
    const shape = known?.toJSON() ?? { error: { code, message, hint, details: {} } };
    const of = subject === undefined ? {} : { subject };
    return { text: JSON.stringify({ ...of, ...shape }, cleanValue), status };
  }
  const of = subject === undefined ? "" : `${cleanText(subject)}: `;
  const lines = [
    labelled("error", `${of}${message}`, style),
    `${style("dim", " hint")}  ${withIndent(hint)}`,
    `${style("dim", " code")}  ${withIndent(cleanText(code))}`,
    ...(options.verbose ? [withIndent(cleanText(stackOf(error)))] : []),
  ];
  return { text: lines.join("\n"), status };
}

function stackOf(error: unknown): string {
  const stacks = causesOf(error).map((one) =>
    one instanceof Error ? (one.stack ?? one.message) : messageOf(one),
  );
  return stacks.join("\ncaused by ");
}

function cleanText(text: string): string {
  return printable(redact(text));
}

function cleanValue(key: string, value: unknown): unknown {
  return typeof value === "string" ? cleanText(value) : bigintAsText(key, value);
}
