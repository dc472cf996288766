import { AgnesError } from "../../../base/mod.ts";
import type { CsvDialect, FileInput } from "../../../kit/mod.ts";
import { markedEncoding, textDecoding, type TextDecoding } from "../encoding.ts";
import { openBytes } from "../open-bytes.ts";
import type { CsvHead } from "./head.ts";

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
  const rewriter = new Rewriter(head, dialect);
  const decoding = textDecoding(head.encoding);
  let isFirst = true;
  for await (const bytes of openBytes(head.file, signal)) {
    const mark = isFirst ? (markedEncoding(bytes)?.markBytes ?? 0) : 0;
    isFirst = false;
    yield Buffer.from(rewriter.push(decoded(decoding, bytes.subarray(mark), head, rewriter.line), false));
  }
  yield Buffer.from(rewriter.push(decoded(decoding, null, head, rewriter.line), true));
}

function decoded(decoding: TextDecoding, bytes: Uint8Array | null, head: CsvHead, line: number): string {
  try {
    return bytes === null ? decoding.end() : decoding.write(bytes);
  } catch (error) {
    throw badText(head.file, `behind line ${line}: it is not ${head.encoding}`, error);
  }
}

class Rewriter {
  readonly #head: CsvHead;
  readonly #dialect: CsvDialect;
  readonly #hasLineFeeds: boolean;
  #rest = "";
  #skip: number;
  #isQuoted = false;
  #isValueStart = true;
  #isLineStart = true;
  line = 1;

  constructor(head: CsvHead, dialect: CsvDialect) {
    this.#head = head;
    this.#dialect = dialect;
    this.#skip = head.skipLines;
    this.#hasLineFeeds = /\n/.test(head.text);
  }

  /** Takes more of the text and gives what is ready of it. */
  push(more: string, isEnd: boolean): string {
    const { delimiter, quote, escape, comment } = this.#dialect;
    const text = this.#rest + more;
    const ready: string[] = [];
    // What follows decides what a character means: two of them may be one line end or one quote.
    const limit = isEnd ? text.length : text.length - Math.max(2, delimiter.length);
    let at = 0;
    let from = 0;
    while (at < limit) {
      const character = text[at]!;
      if (
        this.#isLineStart &&
        !this.#isQuoted &&
        (this.#skip > 0 || (comment !== "" && text.startsWith(comment, at)))
      ) {
        const end = lineEnd(text, at);
        if (end === -1 && !isEnd) break;
        ready.push(text.slice(from, at));
        at = from = end === -1 ? text.length : end;
        this.#skip = Math.max(0, this.#skip - 1);
        this.line += 1;
        continue;
      }
      this.#isLineStart = false;
      if (this.#isQuoted) {
        if (character === escape && (text[at + 1] === quote || (escape !== quote && text[at + 1] === escape)))
          at += 2;
        else {
          if (character === quote) this.#isQuoted = false;
          if (character === "\n") this.line += 1;
          at += 1;
        }
      } else if (character === "\n" || character === "\r") {
        const isPair = character === "\r" && text[at + 1] === "\n";
        if (character === "\r" && !isPair && this.#hasLineFeeds) throw this.#loneReturn();
        ready.push(text.slice(from, at), "\n");
        at = from = at + (isPair ? 2 : 1);
        this.#isLineStart = this.#isValueStart = true;
        this.line += 1;
      } else if (text.startsWith(delimiter, at)) {
        at += delimiter.length;
        this.#isValueStart = true;
      } else {
        if (quote !== "" && character === quote && this.#isValueStart) this.#isQuoted = true;
        this.#isValueStart = false;
        at += 1;
      }
    }
    // Half of a character outside the basic plane is no text.
    if (at > from && at < text.length && /[\ud800-\udbff]/.test(text[at - 1]!)) at -= 1;
    ready.push(text.slice(from, at));
    this.#rest = text.slice(at);
    return ready.join("");
  }

  #loneReturn(): AgnesError {
    return badText(
      this.#head.file,
      `line ${this.line}: a carriage return stands inside a value without quotes`,
    );
  }
}

function lineEnd(text: string, from: number): number {
  const found = /\r\n|\r(?!$)|\n/g;
  found.lastIndex = from;
  const match = found.exec(text);
  return match === null ? -1 : match.index + match[0].length;
}

function badText(file: FileInput, reason: string, cause?: unknown): AgnesError {
  const details = { path: file.origin ?? file.path, reason };
  return new AgnesError("file_unreadable", details, cause === undefined ? {} : { cause });
}
