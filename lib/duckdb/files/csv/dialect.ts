import { AgnesError } from "../../../base/mod.ts";
import type { CsvDialect, CsvOptions } from "../../../kit/mod.ts";
import type { CsvHead } from "./head.ts";
import { csvRecords, type RecordSyntax } from "./records.ts";

const DELIMITERS = [",", ";", "\t", "|"] as const;
const RECORDS_MAX = 500;
const MAX_LINE_BYTES = 16 * 1024 * 1024;

/** How the records of one file split with one delimiter. */
interface Split {
  readonly width: number;
  /** Whether all records have the width of the first. */
  readonly isEven: boolean;
}

/**
 * The dialect of a table from how its files begin. What is wrong about it shows when the files are read whole, since
 * every record must then have as many values as the header.
 *
 * @throws `file_unreadable` when the files of one table differ
 */
export function detectDialect(heads: readonly CsvHead[], csv: CsvOptions, known?: CsvDialect): CsvDialect {
  const quote = csv.quote ?? known?.quote ?? '"';
  const escape = csv.escape ?? known?.escape ?? detectEscape(heads, csv, quote);
  const delimiter = csv.delimiter ?? detectDelimiter(heads, { quote, escape }, known?.delimiter);
  return {
    delimiter,
    quote,
    escape,
    header: csv.header ?? csv.names === undefined,
    nullValues: csv.nullValues ?? [""],
    // Files may say their own by a byte order mark.
    encoding: heads[0]?.encoding ?? "utf-8",
    decimalSeparator: csv.decimalSeparator ?? ".",
    thousandsSeparator: csv.thousandsSeparator ?? "",
    skipLines: csv.skipLines ?? 0,
    comment: csv.comment ?? "",
    maxLineBytes: csv.maxLineBytes ?? MAX_LINE_BYTES,
  };
}

function detectDelimiter(
  heads: readonly CsvHead[],
  syntax: Omit<RecordSyntax, "delimiter">,
  known: string | undefined,
): string {
  const said = heads.find((head) => head.delimiter !== undefined)?.delimiter ?? known;
  const splits = heads.map(
    (head) =>
      new Map(DELIMITERS.map((delimiter) => [delimiter as string, splitOf(head, { ...syntax, delimiter })])),
  );
  const best = said ?? bestDelimiter(splits);
  for (const [at, head] of heads.entries()) {
    const other = bestDelimiter([splits[at]!]);
    const own = splits[at]!.get(best) ?? splitOf(head, { ...syntax, delimiter: best });
    if (own.width > 1 || other === best || !isGood(splits[at]!.get(other)!)) continue;
    const reason = `its values are separated by ${named(other)}, those of its table by ${named(best)}`;
    throw new AgnesError("file_unreadable", { path: head.file.origin ?? head.file.path, reason });
  }
  return best;
}

/** Even and wide beats wide, wide beats narrow; of equals the first. */
function bestDelimiter(splits: readonly ReadonlyMap<string, Split>[]): string {
  const score = (delimiter: string) => {
    const own = splits.map((split) => split.get(delimiter)!);
    const good = own.filter(isGood);
    const widest = Math.max(0, ...own.map(({ width }) => width));
    return good.length > 0
      ? 1e6 * good.length + Math.max(...good.map(({ width }) => width))
      : widest > 1
        ? widest
        : 0;
  };
  return DELIMITERS.reduce<string>((best, one) => (score(one) > score(best) ? one : best), DELIMITERS[0]);
}

const isGood = ({ width, isEven }: Split) => width > 1 && isEven;

function splitOf(head: CsvHead, syntax: RecordSyntax): Split {
  let width = 0;
  let isEven = true;
  let count = 0;
  for (const { values, isOpen, isUnclosed, hasTextBehindQuote } of csvRecords(head.text, syntax)) {
    if (isOpen && !head.isWhole && count > 0) break;
    if (count === 0) width = values.length;
    else if (values.length !== width) isEven = false;
    if (hasTextBehindQuote || (isUnclosed && head.isWhole)) isEven = false;
    count += 1;
    if (count >= RECORDS_MAX) break;
  }
  return { width, isEven };
}

/** A backslash before a quote escapes it, if only so the quotes of the file close. */
function detectEscape(heads: readonly CsvHead[], csv: CsvOptions, quote: string): string {
  if (quote === "" || !heads.some(({ text }) => text.includes(`\\${quote}`))) return quote;
  const closes = (escape: string) =>
    heads.every((head) =>
      [csv.delimiter ?? DELIMITERS]
        .flat()
        .some((delimiter) => isGood(splitOf(head, { delimiter, quote, escape }))),
    );
  return !closes(quote) && closes("\\") ? "\\" : quote;
}

const named = (delimiter: string) => (delimiter === "\t" ? "tabs" : `"${delimiter}"`);
