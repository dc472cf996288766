import type { CellValue } from "./types.ts";

/** Writes a record as exports do: texts in quotes, other values bare, null as nothing. */
export function csvRecord(values: readonly CellValue[], isText: readonly boolean[]): string {
  const cells = values.map((value, at) => {
    if (value === null) return "";
    return isText[at] === false ? value : `"${value.replaceAll('"', '""')}"`;
  });
  return `${cells.join(",")}\n`;
}

/** A value that was read, with whether it was in quotes. */
export interface CsvCell {
  readonly text: string;
  readonly isQuoted: boolean;
}

/** Reads records by RFC 4180. @throws RangeError for a quote that does not end */
export function parseCsv(text: string, delimiter = ",", quote = '"'): readonly (readonly CsvCell[])[] {
  const records: CsvCell[][] = [];
  let record: CsvCell[] = [];
  let at = 0;
  while (at < text.length) {
    const isQuoted = quote !== "" && text[at] === quote;
    let value = "";
    if (isQuoted) {
      let end = at + 1;
      for (;;) {
        const next = text.indexOf(quote, end);
        if (next === -1) throw new RangeError("a quote does not end");
        value += text.slice(end, next);
        end = next + 1;
        if (text[end] !== quote) break;
        value += quote;
        end += 1;
      }
      at = end;
    } else {
      const end = nextEnd(text, at, delimiter);
      value = text.slice(at, end);
      at = end;
    }
    record.push({ text: value, isQuoted });
    if (text.startsWith(delimiter, at)) {
      at += delimiter.length;
      // A delimiter at the end begins one more value.
      if (at < text.length && text[at] !== "\n" && text[at] !== "\r") continue;
      record.push({ text: "", isQuoted: false });
    }
    if (text[at] === "\r") at += 1;
    if (text[at] === "\n") at += 1;
    records.push(record);
    record = [];
  }
  return records;
}

function nextEnd(text: string, from: number, delimiter: string): number {
  const ends = [delimiter, "\n", "\r"].map((end) => text.indexOf(end, from)).filter((at) => at !== -1);
  return Math.min(text.length, ...ends);
}
