import { styleText } from "node:util";

import { printable } from "../../lib/base/mod.ts";

/** Styles text for a terminal; returns it unchanged everywhere else. */
export type Style = (format: Format, text: string) => string;

type Format = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** The properties of a stream that styles depend on. */
interface Output {
  readonly isTTY?: boolean;
}

/** The style of a stream. */
export function styleFor(stream: Output, allowed: boolean): Style {
  const styled = isStyled(stream, allowed);
  return (format, text) => (styled ? styleText(format, text, { validateStream: false }) : text);
}

/**
 * Escapes control characters in text for a stream, except the codes of its style. Other text may contain these codes, but
 * they can only change its colour.
 */
export function printableOn(stream: Output, allowed: boolean): (text: string) => string {
  if (!isStyled(stream, allowed)) return printable;
  return (text) =>
    text
      .split(CODES)
      .map((piece, at) => (at % 2 === 1 ? piece : printable(piece)))
      .join("");
}

/** The codes of the formats, and those that end them. */
const CODES = new RegExp(`(${String.fromCharCode(27)}\\[(?:1|2|22|31|32|33|36|39)m)`);

/** Whether text on a stream is styled: on a terminal, without `NO_COLOR`, `TERM=dumb` and `--no-color`. */
export function isStyled(stream: Output, allowed: boolean): boolean {
  const { NO_COLOR, TERM } = process.env;
  return allowed && stream.isTTY === true && (NO_COLOR ?? "") === "" && TERM !== "dumb";
}
