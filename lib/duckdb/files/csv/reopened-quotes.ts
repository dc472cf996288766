import { AgnesError } from "../../../base/mod.ts";
import type { CsvDialect } from "../../../kit/mod.ts";
import { originOf } from "../columns.ts";
import { openBytes } from "../open-bytes.ts";
import { recordsOf } from "./explain.ts";
import type { CsvHead } from "./head.ts";

const CHUNK_BYTES = 1024 * 1024;
const SPACE = 0x20;

/**
 * Rejects a value such as `"x" "y"`, which DuckDB reads as `x y`. Only a file with spaces between two quotes is parsed to
 * find out whether they are inside a value.
 *
 * @throws `file_row_invalid` naming the line
 */
export async function refuseReopenedQuotes(
  head: CsvHead,
  dialect: CsvDialect,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (dialect.quote === "" || !(await hasSpacesBetweenQuotes(head, dialect.quote, signal))) return;
  for await (const { line, text, hasTextAfterQuote } of recordsOf(head, dialect, signal)) {
    if (!hasTextAfterQuote) continue;
    const reason = "text follows a closing quote";
    throw new AgnesError("file_row_invalid", { file: originOf(head.file), line, reason, text });
  }
}

async function hasSpacesBetweenQuotes(
  head: CsvHead,
  quote: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  // The byte search needs an encoding with ASCII bytes.
  if (head.encoding.startsWith("utf-16")) return true;
  const finder = new SpacesBetweenQuotes(quote.charCodeAt(0));
  if (head.isWhole) return finder.push(Buffer.from(head.text));
  for await (const bytes of openBytes(head.file, signal, CHUNK_BYTES)) {
    if (finder.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))) return true;
  }
  return false;
}

/** Finds two quotes with only spaces between them in a text that arrives in chunks. */
class SpacesBetweenQuotes {
  readonly #quote: number;
  readonly #quoteAndSpace: Buffer;
  /** Whether the text so far ended with a quote, optionally followed by spaces. */
  #end: "text" | "quote" | "spaces" = "text";

  constructor(quote: number) {
    this.#quote = quote;
    this.#quoteAndSpace = Buffer.from([quote, SPACE]);
  }

  push(bytes: Buffer): boolean {
    for (let at = 0; at < bytes.length; at++) {
      if (this.#end === "text") {
        at = bytes.indexOf(this.#quoteAndSpace, at);
        if (at === -1) break;
        this.#end = "quote";
      } else if (bytes[at] === SPACE) {
        this.#end = "spaces";
      } else {
        if (this.#end === "spaces" && bytes[at] === this.#quote) return true;
        this.#end = "text";
        // A match may start here.
        at -= 1;
      }
    }
    if (this.#end === "text" && bytes.at(-1) === this.#quote) this.#end = "quote";
    return false;
  }
}
