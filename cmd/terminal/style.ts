import { styleText } from "node:util";

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

/** Whether text on a stream is styled: on a terminal, without `NO_COLOR`, `TERM=dumb` and `--no-color`. */
export function isStyled(stream: Output, allowed: boolean): boolean {
  const { NO_COLOR, TERM } = process.env;
  return allowed && stream.isTTY === true && (NO_COLOR ?? "") === "" && TERM !== "dumb";
}
