import { AgnesError } from "../../../base/mod.ts";
import type { CsvDialect } from "../../../kit/mod.ts";
import { originOf } from "../columns.ts";
import { openBytes } from "../open-bytes.ts";
import { recordsOf } from "./explain.ts";
import type { CsvHead } from "./head.ts";

const CHUNK_BYTES = 1024 * 1024;
const SPACE = 0x20;

/**
 * Refuses a value such as `"x" "y"`: DuckDB reads it as `x y`. Whether spaces between two quotes stand between values
 * or within one is looked at only in a file that has any.
 *
 * @throws `file_row_invalid` naming the line
 */
export async function refuseReopenedQuotes(
  head: CsvHead,
  dialect: CsvDialect,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (dialect.quote === "" || !(await hasSpacesBetweenQuotes(head, dialect.quote, signal))) return;
  for await (const { line, text, hasTextBehindQuote } of recordsOf(head, dialect, signal)) {
    if (!hasTextBehindQuote) continue;
    const reason = "text follows a closing quote";
    throw new AgnesError("file_row_invalid", { file: originOf(head.file), line, reason, text });
  }
}

async function hasSpacesBetweenQuotes(
  head: CsvHead,
  quote: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  // In other encodings than these a character takes more than one byte.
  if (head.encoding.startsWith("utf-16")) return true;
  const finder = new SpacesBetweenQuotes(quote.charCodeAt(0));
  if (head.isWhole) return finder.push(Buffer.from(head.text));
  for await (const bytes of openBytes(head.file, signal, CHUNK_BYTES)) {
    if (finder.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))) return true;
  }
  return false;
}

/** Finds two quotes with nothing but spaces between them in a text that comes in pieces. */
class SpacesBetweenQuotes {
  readonly #quote: number;
  readonly #quoteAndSpace: Buffer;
  /** Whether the text so far ended in a quote, or in one and spaces. */
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
        // It may begin what is looked for.
        at -= 1;
      }
    }
    if (this.#end === "text" && bytes.at(-1) === this.#quote) this.#end = "quote";
    return false;
  }
}
