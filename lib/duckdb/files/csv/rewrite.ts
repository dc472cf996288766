import type { CsvDialect } from "../../../kit/mod.ts";
import { markedEncoding, textDecoding } from "../encoding.ts";
import { decodedOr } from "../misencoded.ts";
import { openBytes } from "../open-bytes.ts";
import type { CsvHead } from "./head.ts";
import { LineFilter } from "./line-filter.ts";
import { CsvStructure, type RecordSyntax } from "./structure.ts";

const CHUNK_BYTES = 256 * 1024;

/**
 * Rewrites a file so that DuckDB can read it: UTF-8, line feeds after records, no comments and skipped lines. Line ends
 * in quotes and lone escapes keep their meaning.
 * @throws `file_unreadable` naming the line
 */
export async function* rewrittenCsv(
  head: CsvHead,
  dialect: CsvDialect,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const lines = new LineFilter(head.skipLines, dialect.comment, dialect);
  const ends = new LineEnds(dialect);
  const decoding = textDecoding(head.encoding);
  const from = { file: head.file, encoding: head.encoding, signal };
  let isFirst = true;
  for await (const bytes of openBytes(head.file, signal, CHUNK_BYTES)) {
    const mark = isFirst ? (markedEncoding(bytes)?.markBytes ?? 0) : 0;
    isFirst = false;
    const text = await decodedOr(() => decoding.write(bytes.subarray(mark)), from);
    yield Buffer.from(ends.push(lines.push(text, false), false));
  }
  const text = await decodedOr(() => decoding.end(), from);
  yield Buffer.from(ends.push(lines.push(text, true), true));
}

/** Ends each record with a line feed and drops empty lines. It doubles a lone escape in quotes, because DuckDB drops it. */
class LineEnds {
  readonly #structure: CsvStructure;
  /** Empty if the quote escapes itself. */
  readonly #escape: string;
  #rest = "";
  #isLineStart = true;
  line = 1;

  constructor(syntax: RecordSyntax) {
    this.#structure = new CsvStructure(syntax);
    this.#escape = syntax.escape === syntax.quote ? "" : syntax.escape;
  }

  push(more: string, isEnd: boolean): string {
    const structure = this.#structure;
    const text = this.#rest + more;
    const ready: string[] = [];
    const limit = isEnd ? text.length : text.length - structure.lookAhead;
    let at = 0;
    let from = 0;
    while (at < limit) {
      const piece = structure.take(text, at);
      if (piece === "text" && structure.isQuoted && text[at] === this.#escape) {
        ready.push(text.slice(from, at), this.#escape);
        from = at;
      }
      const isBreak = piece === "break";
      if (isBreak) {
        ready.push(text.slice(from, at), this.#isLineStart ? "" : "\n");
        from = at + structure.length;
      }
      this.#isLineStart = isBreak;
      at += structure.length;
    }
    // A lone surrogate is not valid text.
    if (at > from && at < text.length && /[\ud800-\udbff]/.test(text[at - 1]!)) at -= 1;
    ready.push(text.slice(from, at));
    this.#rest = text.slice(at);
    return ready.join("");
  }
}
