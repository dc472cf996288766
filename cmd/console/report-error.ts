import { isAgnesError, messageOf, printable, redact } from "../../lib/base/mod.ts";
import { painter } from "./paint.ts";

interface ReportOptions {
  readonly json: boolean;
  readonly verbose: boolean;
  readonly color: boolean;
  /** The part that failed while the rest went on: a source, a table, a file. Default: the whole command failed. */
  readonly subject?: string;
}

/** Says on stderr what failed and what to do next, and gives the exit status. */
export function reportError(error: unknown, options: ReportOptions): number {
  const known = isAgnesError(error) ? error : undefined;
  const code = known?.code ?? "internal";
  const message = cleanText(known?.message ?? `Agnes failed unexpectedly: ${messageOf(error)}`);
  const hint = cleanText(known?.hint ?? "Run again with --verbose and report what it prints.");
  const { subject } = options;
  if (options.json) {
    const shape = known?.toJSON() ?? { error: { code, message, hint, details: {} } };
    const of = subject === undefined ? {} : { subject };
    process.stderr.write(`${JSON.stringify({ ...of, ...shape }, cleanValue)}\n`);
  } else {
    const paint = painter(process.stderr, options.color);
    const of = subject === undefined ? "" : `${cleanText(subject)}: `;
    process.stderr.write(`${paint.red("error")}  ${of}${message}\n${paint.dim(" hint")}  ${hint}\n`);
    process.stderr.write(`${paint.dim(" code")}  ${code}\n`);
    if (options.verbose) process.stderr.write(`${cleanText(stackOf(error))}\n`);
  }
  return known?.exitCode ?? 1;
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.stack ?? error.message;
  return error.cause === undefined ? own : `${own}\ncaused by ${stackOf(error.cause)}`;
}

function cleanText(text: string): string {
  return printable(redact(text));
}

function cleanValue(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  return typeof value === "string" ? cleanText(value) : value;
}
