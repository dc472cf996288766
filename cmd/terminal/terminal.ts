import { bigintAsText, createLog, printable, type Log } from "../../lib/base/mod.ts";
import { errorReport, type ErrorReport } from "./error-report.ts";
import { logText, openMessages } from "./messages.ts";
import { writeOut } from "./stdout.ts";
import { isStyled, printableOn, styleFor, type Style } from "./style.ts";

/** The output options of a command. */
export interface TerminalFlags {
  readonly json: boolean;
  readonly verbose: boolean;
  readonly quiet: boolean;
  /** `false` with `--no-color`. */
  readonly color: boolean;
}

/** The output of a command: data on stdout, messages on stderr. */
export interface Terminal extends TerminalFlags {
  /** The style of stdout. */
  readonly style: Style;
  /** Whether stderr is a terminal that supports progress bars. */
  readonly interactive: boolean;
  /** Prints text on stdout, with control characters escaped, except the codes of `style`. Bytes are printed unchanged. */
  print(data: string | Uint8Array): Promise<void>;
  /** Prints a value as JSON, indented on a terminal. */
  printJson(value: unknown): Promise<void>;
  /** Prints a message on stderr; silent with `--quiet`. */
  info(text: string): void;
  /** Prints lines under a title on stderr, in a box if colours are on and it fits; silent with `--quiet`. */
  box(title: string, lines: readonly string[]): void;
  /** Prints a warning on stderr; silent with `--quiet`. */
  warn(text: string): void;
  /**
   * Prints an error on stderr with its remedy; never silent.
   *
   * @param subject the part that failed while the command continues; default: the whole command failed
   * @returns the exit status of the error
   */
  error(error: unknown, subject?: string): number;
  /** The text of `error`, for when JavaScript is blocked. */
  errorReport(error: unknown): ErrorReport;
  /** Asks a question on a terminal; returns `true` without one. */
  confirm(question: string): Promise<boolean>;
  /** The log of the library, printed on stderr. */
  readonly log: Log;
}

/** The width of the border and padding of a box. */
const BOX_WIDTH = 8;

/** Opens the terminal of a command. */
export function openTerminal(flags: TerminalFlags): Terminal {
  // A closed stderr must not stop the command.
  if (process.stderr.listenerCount("error") === 0) process.stderr.on("error", () => {});
  const { stdin, stdout, stderr } = process;
  const { json, quiet, color } = flags;
  const style = styleFor(stderr, color);
  const printableText = printableOn(stdout, color);
  const messages = openMessages({ ...flags, style });
  const report = (error: unknown, subject?: string) =>
    errorReport(error, { ...flags, style, ...(subject === undefined ? {} : { subject }) });
  return {
    ...flags,
    style: styleFor(stdout, color),
    interactive: stderr.isTTY && !quiet && process.env["TERM"] !== "dumb",
    print: (data) => writeOut(typeof data === "string" ? printableText(data) : data),
    // An escaped control character is also JSON for it.
    printJson: (value) =>
      writeOut(printable(`${JSON.stringify(value, bigintAsText, stdout.isTTY ? 2 : undefined)}\n`)),
    info: (text) => messages.log(printable(text)),
    box(title, lines) {
      const texts = lines.map(printable);
      const width = Math.max(...[title, ...texts].map((text) => Bun.stringWidth(text))) + BOX_WIDTH;
      if (isStyled(stderr, color) && width <= (stderr.columns ?? 0))
        messages.box({ title, message: texts.join("\n") });
      else messages.log([`${title}:`, ...texts.map((text) => `  ${text}`)].join("\n"));
    },
    warn: (text) => messages.warn(printable(text)),
    error(error, subject) {
      const { text, status } = report(error, subject);
      // At the level of errors but without a label, because the report has its own or is JSON.
      messages.error({ type: "log", message: text });
      return status;
    },
    errorReport: report,
    async confirm(question) {
      if (json || quiet || !stdin.isTTY || !stdout.isTTY || !stderr.isTTY) return true;
      // The prompt is the largest part of the library, so it is loaded on demand.
      const { consola } = await import("consola");
      const answer = await consola.prompt(printable(question), {
        type: "confirm",
        initial: false,
        cancel: "undefined",
      });
      return answer === true;
    },
    log: createLog(({ level, message, fields }) => messages[level](logText(message, fields, style))),
  };
}
