import { createConsola, LogLevels, type ConsolaInstance, type LogType } from "consola/core";
import { box } from "consola/utils";

import { writeErr } from "./stderr.ts";
import type { Style } from "./style.ts";

/** The labels of messages. A type without one, such as `log`, is printed unchanged. */
const LABELS: Partial<Record<LogType, { readonly text: string; readonly format: Parameters<Style>[0] }>> = {
  debug: { text: "debug", format: "dim" },
  info: { text: "info", format: "cyan" },
  warn: { text: "warning", format: "yellow" },
  error: { text: "error", format: "red" },
};

const BOX_STYLE = { marginTop: 0, marginBottom: 0 };

/** Opens the messages on stderr: only errors if quiet, also the debug log if verbose. */
export function openMessages(options: {
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly style: Style;
}): ConsolaInstance {
  const { quiet, verbose, style } = options;
  return createConsola({
    level: quiet ? LogLevels.error : verbose ? LogLevels.debug : LogLevels.info,
    // consola delays repeated messages, and loses them when the process ends.
    throttleMin: Number.POSITIVE_INFINITY,
    reporters: [
      {
        log({ type, args, title }) {
          const text = args.join("");
          const line =
            type === "box"
              ? box(text, { title: String(title), style: BOX_STYLE })
              : labelled(type, text, style);
          writeErr(`${line}\n`);
        },
      },
    ],
  });
}

/** A message with the label of its type. Further lines are indented. */
export function labelled(type: LogType, text: string, style: Style): string {
  const label = LABELS[type];
  return label === undefined ? text : `${style(label.format, label.text)}  ${withIndent(text)}`;
}

/** Indents all lines but the first, so that the text of a plugin cannot forge a message, a hint or a code. */
export function withIndent(text: string): string {
  return text.trimEnd().replace(/\n(?!\n)/g, "\n       ");
}

/** A message of the library's log, with its fields. */
export function logText(message: string, fields: Readonly<Record<string, unknown>>, style: Style): string {
  const tail = Object.entries(fields).map(([key, value]) => `  ${style("dim", `${key}=${String(value)}`)}`);
  return `${message}${tail.join("")}`;
}
