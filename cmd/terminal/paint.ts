/** Colours text for a terminal; leaves it alone everywhere else. */
export interface Painter {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly cyan: (text: string) => string;
}

/** A painter for a stream: `NO_COLOR`, `TERM=dumb` and `--no-color` keep it plain. */
export function painter(stream: { readonly isTTY?: boolean }, allowed: boolean): Painter {
  const { NO_COLOR, TERM } = process.env;
  const colored = allowed && stream.isTTY === true && (NO_COLOR ?? "") === "" && TERM !== "dumb";
  const style = (open: number, close: number) => (text: string) =>
    colored ? `\u001B[${open}m${text}\u001B[${close}m` : text;
  return {
    bold: style(1, 22),
    dim: style(2, 22),
    red: style(31, 39),
    green: style(32, 39),
    yellow: style(33, 39),
    cyan: style(36, 39),
  };
}
