import { isAgnesError, messageOf, printable, redact } from "../../lib/base/mod.ts";
import { painter } from "./paint.ts";
import type { LastWords } from "../process/watchdog.ts";

interface ReportOptions {
  readonly json: boolean;
  readonly verbose: boolean;
  readonly color: boolean;
  /** The part that failed while the rest went on: a source, a table, a file. Default: the whole command failed. */
  readonly subject?: string;
}

/** Says on stderr what failed and what to do next, and gives the exit status. */
export function reportError(error: unknown, options: ReportOptions): number {
  const { text, status } = errorReport(error, options);
  process.stderr.write(text);
  return status;
}

/** The text that `reportError` prints, and the exit status. */
export function errorReport(error: unknown, options: ReportOptions): LastWords {
  const known = isAgnesError(error) ? error : undefined;
  const code = known?.code ?? "internal";
  const status = known?.exitCode ?? 1;
  const message = cleanText(known?.message ?? `Agnes failed unexpectedly: ${messageOf(error)}`);
  const hint = cleanText(known?.hint ?? "Run again with --verbose and report what it prints.");
  const { subject } = options;
  if (options.json) {
    const shape = known?.toJSON() ?? { error: { code, message, hint, details: {} } };
    const of = subject === undefined ? {} : { subject };
    return {
      text: `${JSON.stringify({ ...of, ...shape }, cleanValue)}
`,
      status,
    };
  }
  const paint = painter(process.stderr, options.color);
  const of = subject === undefined ? "" : `${cleanText(subject)}: `;
  const lines = [
    `${paint.red("error")}  ${of}${message}`,
    `${paint.dim(" hint")}  ${hint}`,
    `${paint.dim(" code")}  ${code}`,
    ...(options.verbose ? [cleanText(stackOf(error))] : []),
  ];
  return { text: `${lines.join("\n")}\n`, status };
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
