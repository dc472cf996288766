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
 * A head that has its file read from a copy if an escape in its quotes stands before anything but a quote or an escape,
 * such as `"C:\new"`: DuckDB leaves such a backslash out. Only files whose escape is not the quote are looked at.
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
 * Refuses a file in which a backslash that was guessed to be the escape is also a character like any other: then it is
 * not known what it means before a quote.
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
  const reason = `a ${dialect.escape} stands in quotes before another character than a quote, so it is not known whether it escapes the quotes of this file`;
  throw new AgnesError("file_row_invalid", {
    file: originOf(head.file),
    line: record.line,
    reason,
    text: record.text,
    advice: `Set csv.escape to ${JSON.stringify(dialect.escape)}, which keeps this one as it is, or correct the file, then run \`agnes sync\` again.`,
  });
}

async function loneEscape(
  head: CsvHead,
  dialect: CsvDialect,
  signal: AbortSignal | undefined,
): Promise<CsvRecord | null> {
  const { quote, escape } = dialect;
  if (quote === "" || escape === "" || escape === quote) return null;
  if (!(await mayHoldOne(head, dialect, signal))) return null;
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

/** Whether any escape, in quotes or not, stands before something else than a quote or an escape. */
async function mayHoldOne(
  head: CsvHead,
  { quote, escape }: CsvDialect,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  // In other encodings than these a character takes more than one byte.
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
