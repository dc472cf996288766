import { printable } from "../../lib/base/mod.ts";

type Write = (text: string) => void;

const direct: Write = (text) => void process.stderr.write(text);
let write: Write = direct;

/** Writes to stderr, above the progress bars while they are visible. */
export function writeErr(text: string): void {
  write(text);
}

/** Writes the output of a plugin to stderr, with control characters escaped. */
export function writePluginOutput(text: string): void {
  write(printable(text));
}

/** Redirects what is written to stderr, for example to print it above progress bars. Returns a function that ends this. */
export function redirectStderr(to: Write): () => void {
  write = to;
  return () => {
    if (write === to) write = direct;
  };
}
