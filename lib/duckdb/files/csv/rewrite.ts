import { AgnesError } from "../../../base/mod.ts";
import type { CsvDialect } from "../../../kit/mod.ts";
import { originOf } from "../columns.ts";
import { markedEncoding, textDecoding, type TextDecoding } from "../encoding.ts";
import { openBytes } from "../open-bytes.ts";
import type { CsvHead } from "./head.ts";
import { LineFilter } from "./line-filter.ts";
import { isSpaceBeforeQuote, type RecordSyntax } from "./records.ts";

/**
 * The text of a file as DuckDB can read it: UTF-8, records ended by line feeds, without comments and skipped lines.
 * Line ends inside quotes stay as they are.
 * @throws `file_unreadable`, naming the line
 */
export async function* rewrittenCsv(
  head: CsvHead,
  dialect: CsvDialect,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const lines = new LineFilter(head.skipLines, dialect.comment);
  const ends = new LineEnds(dialect);
  const decoding = textDecoding(head.encoding);
  let isFirst = true;
  for await (const bytes of openBytes(head.file, signal)) {
    const mark = isFirst ? (markedEncoding(bytes)?.markBytes ?? 0) : 0;
    isFirst = false;
    const text = decoded(decoding, bytes.subarray(mark), head, ends.line);
    yield Buffer.from(ends.push(lines.push(text, false, dialect), false));
  }
  const text = decoded(decoding, null, head, ends.line);
  yield Buffer.from(ends.push(lines.push(text, true, dialect), true));
}

function decoded(decoding: TextDecoding, bytes: Uint8Array | null, head: CsvHead, line: number): string {
  try {
    return bytes === null ? decoding.end() : decoding.write(bytes);
  } catch (error) {
    const reason = `behind line ${line}: it is not ${head.encoding}`;
    throw new AgnesError("file_unreadable", { path: originOf(head.file), reason }, { cause: error });
  }
}

/** Ends every record with a line feed, and leaves empty lines out. */
class LineEnds {
  readonly #syntax: RecordSyntax;
  #rest = "";
  #isQuoted = false;
  #isValueStart = true;
  #isLineStart = true;
  line = 1;

  constructor(syntax: RecordSyntax) {
    this.#syntax = syntax;
  }

  push(more: string, isEnd: boolean): string {
    const { delimiter, quote, escape } = this.#syntax;
    const text = this.#rest + more;
    const ready: string[] = [];
    // What follows decides what a character means: two of them may be one line end or one quote.
    const limit = isEnd ? text.length : text.length - Math.max(2, delimiter.length);
    let at = 0;
    let from = 0;
    while (at < limit) {
      const character = text[at]!;
      if (this.#isQuoted) {
        const isEscaped =
          character === escape && (text[at + 1] === quote || (escape !== quote && text[at + 1] === escape));
        if (isEscaped) at += 1;
        else if (character === quote) this.#isQuoted = false;
        else if (character === "\n") this.line += 1;
        at += 1;
      } else if (character === "\n" || character === "\r") {
        ready.push(text.slice(from, at), this.#isLineStart ? "" : "\n");
        at = from = at + (character === "\r" && text[at + 1] === "\n" ? 2 : 1);
        this.#isLineStart = this.#isValueStart = true;
        this.line += 1;
        continue;
      } else if (text.startsWith(delimiter, at)) {
        at += delimiter.length;
        this.#isValueStart = true;
      } else {
        if (quote !== "" && character === quote && this.#isValueStart) this.#isQuoted = true;
        this.#isValueStart &&= isSpaceBeforeQuote(text, at, this.#syntax);
        at += 1;
      }
      this.#isLineStart = false;
    }
    // Half of a character outside the basic plane is no text.
    if (at > from && at < text.length && /[\ud800-\udbff]/.test(text[at - 1]!)) at -= 1;
    ready.push(text.slice(from, at));
    this.#rest = text.slice(at);
    return ready.join("");
  }
}
