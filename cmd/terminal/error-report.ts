import { bigintAsText, isAgnesError, messageOf, printable, redact } from "../../lib/base/mod.ts";
import { labelled } from "./messages.ts";
import type { Style } from "./style.ts";

interface ReportOptions {
  readonly json: boolean;
  readonly verbose: boolean;
  readonly style: Style;
  /** The part that failed while the rest went on: a source, a table, a file. Default: the whole command failed. */
  readonly subject?: string;
}

/** What is printed of an error, and the exit status of a command that ends with it. */
export interface ErrorReport {
  readonly text: string;
  readonly status: number;
}

/** Reports what failed and what to do next, in a few lines or as one line of JSON. */
export function errorReport(error: unknown, options: ReportOptions): ErrorReport {
  const known = isAgnesError(error) ? error : undefined;
  const code = known?.code ?? "internal";
  const status = known?.exitCode ?? 1;
  const message = cleanText(known?.message ?? `Agnes failed unexpectedly: ${messageOf(error)}`);
  const hint = cleanText(known?.hint ?? "Run again with --verbose and report what it prints.");
  const { subject, style } = options;
  if (options.json) {
    const shape = known?.toJSON() ?? { error: { code, message, hint, details: {} } };
    const of = subject === undefined ? {} : { subject };
    return { text: JSON.stringify({ ...of, ...shape }, cleanValue), status };
  }
  const of = subject === undefined ? "" : `${cleanText(subject)}: `;
  const lines = [
    labelled("error", `${of}${message}`, style),
    `${style("dim", " hint")}  ${hint}`,
    `${style("dim", " code")}  ${code}`,
    ...(options.verbose ? [cleanText(stackOf(error))] : []),
  ];
  return { text: lines.join("\n"), status };
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.stack ?? error.message;
  return error.cause === undefined ? own : `${own}\ncaused by ${stackOf(error.cause)}`;
}

function cleanText(text: string): string {
  return printable(redact(text));
}

function cleanValue(key: string, value: unknown): unknown {
  return typeof value === "string" ? cleanText(value) : bigintAsText(key, value);
}
