/** What separates and encloses the values of a CSV text. */
export interface RecordSyntax {
  readonly delimiter: string;
  /** Empty: nothing encloses values. */
  readonly quote: string;
  readonly escape: string;
}

/** One record of a CSV text. */
export interface CsvRecord {
  readonly values: readonly string[];
  /** The line it starts in, from 1. */
  readonly line: number;
  /** Whether the text ended inside of it: there may be more of it. */
  readonly isOpen: boolean;
  /** Whether the text ended inside quotes. */
  readonly isUnclosed: boolean;
  /** Whether something other than spaces stands between a closing quote and the next delimiter. */
  readonly hasTextBehindQuote: boolean;
  /** Where the text behind it starts. */
  readonly end: number;
}

/**
 * Splits a text into records, leniently: what makes a record bad is not decided here. Lines that are empty are no
 * records.
 */
export function* csvRecords(text: string, syntax: RecordSyntax, firstLine = 1): Generator<CsvRecord> {
  const { delimiter, quote, escape } = syntax;
  let values: string[] = [];
  let value = "";
  let at = 0;
  let line = firstLine;
  let start = firstLine;
  let isQuoted = false;
  let isBlank = true;
  let wasQuoted = false;
  let hasTextBehindQuote = false;
  const record = (isOpen: boolean): CsvRecord => ({
    values: [...values, value],
    line: start,
    isOpen,
    isUnclosed: isQuoted,
    hasTextBehindQuote,
    end: at,
  });
  while (at < text.length) {
    const character = text[at]!;
    if (isQuoted) {
      if (character === escape && (text[at + 1] === quote || (escape !== quote && text[at + 1] === escape))) {
        value += text[at + 1];
        at += 2;
        continue;
      }
      if (character === quote) {
        isQuoted = false;
        wasQuoted = true;
      } else {
        if (character === "\n") line += 1;
        value += character;
      }
      at += 1;
    } else if (quote !== "" && character === quote && value === "") {
      isQuoted = true;
      isBlank = false;
      at += 1;
    } else if (text.startsWith(delimiter, at)) {
      values.push(value);
      value = "";
      wasQuoted = false;
      isBlank = false;
      at += delimiter.length;
    } else if (character === "\n" || character === "\r") {
      at += character === "\r" && text[at + 1] === "\n" ? 2 : 1;
      line += 1;
      if (!isBlank) yield record(false);
      values = [];
      value = "";
      isBlank = true;
      wasQuoted = hasTextBehindQuote = false;
      start = line;
    } else {
      value += character;
      isBlank = false;
      if (wasQuoted && character !== " ") hasTextBehindQuote = true;
      at += 1;
    }
  }
  if (!isBlank) yield record(true);
}
