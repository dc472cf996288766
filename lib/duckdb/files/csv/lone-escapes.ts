import { AgnesError } from "../../../base/mod.ts";
import type { CsvDialect } from "../../../kit/mod.ts";
import { originOf } from "../columns.ts";
import { openBytes } from "../open-bytes.ts";
import { recordsOf } from "./explain.ts";
import type { CsvHead } from "./head.ts";
import type { CsvRecord } from "./records.ts";
import { CsvStructure } from "./structure.ts";

const CHUNK_BYTES = 1024 * 1024;

/**
 * Requires a copy of a file with a lone escape in quotes, which precedes neither a quote nor an escape, such as
 * `"C:\new"`: DuckDB drops such a backslash. Only files whose escape is not the quote are checked.
 */
export async function keepingLoneEscapes(
  head: CsvHead,
  dialect: CsvDialect,
  signal: AbortSignal | undefined,
): Promise<CsvHead> {
  if (head.needsCopy || (await loneEscape(head, dialect, signal)) === null) return head;
  return { ...head, needsCopy: true };
}

/**
 * Rejects a file with a lone escape if the escape was detected: its meaning before a quote is then ambiguous.
 *
 * @throws `file_row_invalid` naming the line
 */
export async function refuseLoneEscapes(
  head: CsvHead,
  dialect: CsvDialect,
  signal: AbortSignal | undefined,
): Promise<void> {
  const record = await loneEscape(head, dialect, signal);
  if (record === null) return;
  const reason = `a ${dialect.escape} in quotes precedes a character other than a quote, so it may not be the escape character of this file`;
  throw new AgnesError("file_row_invalid", {
    file: originOf(head.file),
    line: record.line,
    reason,
    text: record.text,
    advice: `Set csv.escape to ${JSON.stringify(dialect.escape)}, which keeps this ${dialect.escape} unchanged, or correct the file, then run \`agnes sync\` again.`,
  });
}

async function loneEscape(
  head: CsvHead,
  dialect: CsvDialect,
  signal: AbortSignal | undefined,
): Promise<CsvRecord | null> {
  const { quote, escape } = dialect;
  if (quote === "" || escape === "" || escape === quote) return null;
  if (!(await mayHaveLoneEscape(head, dialect, signal))) return null;
  for await (const record of recordsOf(head, dialect, signal)) {
    if (record.text.includes(escape) && isLoneIn(record.text, dialect)) return record;
  }
  return null;
}

function isLoneIn(text: string, dialect: CsvDialect): boolean {
  const structure = new CsvStructure(dialect);
  for (let at = 0; at < text.length; at += structure.length) {
    if (structure.take(text, at) === "text" && structure.isQuoted && text[at] === dialect.escape) return true;
  }
  return false;
}

/** Whether any escape, in quotes or not, precedes neither a quote nor an escape. */
async function mayHaveLoneEscape(
  head: CsvHead,
  { quote, escape }: CsvDialect,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  // The byte search needs an encoding with ASCII bytes.
  if (head.encoding.startsWith("utf-16")) return true;
  const [quoteByte, escapeByte] = [quote.charCodeAt(0), escape.charCodeAt(0)];
  let isEscaped = false;
  const find = (bytes: Uint8Array): boolean => {
    let at = 0;
    while (at < bytes.length) {
      if (isEscaped) {
        if (bytes[at] !== quoteByte && bytes[at] !== escapeByte) return true;
        isEscaped = false;
        at += 1;
        continue;
      }
      at = bytes.indexOf(escapeByte, at);
      if (at === -1) return false;
      isEscaped = true;
      at += 1;
    }
    return false;
  };
  if (head.isWhole) return find(Buffer.from(head.text)) || isEscaped;
  for await (const bytes of openBytes(head.file, signal, CHUNK_BYTES)) if (find(bytes)) return true;
  return isEscaped;
}
