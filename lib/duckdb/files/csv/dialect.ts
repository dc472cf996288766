import { AgnesError, shown } from "../../../base/mod.ts";
import type { CsvDialect, CsvOptions } from "../../../kit/mod.ts";
import { checkCsvOptions, checkDialect } from "./check-options.ts";
import { MAX_LINE_BYTES, type CsvHead } from "./head.ts";
import { csvRecords } from "./records.ts";
import type { RecordSyntax } from "./structure.ts";

const DELIMITERS = [",", ";", "\t", "|"] as const;
const RECORDS_MAX = 500;

/** How the records of one file split with one delimiter. */
interface Split {
  /** The values of the first record. */
  readonly width: number;
  /** The values of each of the others, 0 when they differ. */
  readonly rowWidth: number;
  /** Whether all records have the width of the first. */
  readonly isEven: boolean;
}

/**
 * The dialect of a table from how its files begin. What is wrong about it shows when the files are read whole, since
 * every record must then have as many values as the header.
 *
 * @throws `file_unreadable` when the files of one table differ, or do not hold the delimiter that the options name
 */
export function detectDialect(heads: readonly CsvHead[], csv: CsvOptions, known?: CsvDialect): CsvDialect {
  checkCsvOptions(csv);
  const quote = csv.quote ?? known?.quote ?? '"';
  const escape = csv.escape ?? known?.escape ?? detectEscape(heads, csv, quote);
  if (csv.delimiter !== undefined) checkDelimiter(heads, csv, { quote, escape, delimiter: csv.delimiter });
  const delimiter = csv.delimiter ?? detectDelimiter(heads, { quote, escape }, known?.delimiter);
  const dialect: CsvDialect = {
    delimiter,
    quote,
    escape,
    header: csv.header ?? csv.names === undefined,
    nullValues: csv.nullValues === undefined || csv.nullValues.length === 0 ? [""] : csv.nullValues,
    // Files may say their own by a byte order mark.
    encoding: heads[0]?.encoding ?? "utf-8",
    decimalSeparator: csv.decimalSeparator ?? ".",
    thousandsSeparator: csv.thousandsSeparator ?? "",
    skipLines: csv.skipLines ?? 0,
    comment: csv.comment ?? "",
    maxLineBytes: csv.maxLineBytes ?? MAX_LINE_BYTES,
    ...(csv.names === undefined ? {} : { names: csv.names }),
  };
  checkDialect(dialect, csv);
  return dialect;
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
    const wayOut =
      known === undefined
        ? ""
        : "; if all files of the table are written so now, a sync with --full reads them so";
    const reason = `its values are separated by ${named(other)}, those of its table by ${named(best)}${wayOut}`;
    throw new AgnesError("file_unreadable", { path: head.file.origin ?? head.file.path, reason });
  }
  return best;
}

/**
 * Refuses a file that would be one column of text because the options name a delimiter which it does not hold. Who
 * wants whole lines gives that column a name.
 */
function checkDelimiter(heads: readonly CsvHead[], csv: CsvOptions, syntax: RecordSyntax): void {
  if (csv.names?.length === 1) return;
  const hasHeader = csv.header ?? csv.names === undefined;
  for (const head of heads) {
    const own = splitOf(head, syntax);
    if (own.width > 1 || !(own.isEven || own.rowWidth === 1)) continue;
    const splits = new Map(
      DELIMITERS.map((delimiter) => [delimiter as string, splitOf(head, { ...syntax, delimiter })]),
    );
    const other = bestDelimiter([splits]);
    const split = splits.get(other)!;
    if (other === syntax.delimiter || !(hasHeader ? split.width > 1 : isGood(split))) continue;
    const [first] = csvRecords(head.text, { ...syntax, delimiter: other });
    const line = shown(first!.values.join(other), 100);
    const reason = `it does not hold the delimiter ${named(syntax.delimiter)} that csv.delimiter names: ${line} is separated by ${named(other)}; correct csv.delimiter, or set csv.names to one name to read whole lines`;
    throw new AgnesError("file_unreadable", { path: head.file.origin ?? head.file.path, reason });
  }
}

/**
 * The delimiter that makes records of the same width, the wider the better; of equals the first. A file of one column
 * gets one that none of its values holds, unless all of its rows split alike: then its header is too short.
 */
function bestDelimiter(splits: readonly ReadonlyMap<string, Split>[]): string {
  const score = (delimiter: string) => {
    const own = splits.map((split) => split.get(delimiter)!);
    const good = own.filter(isGood);
    if (good.length > 0) return 1e6 * good.length + Math.max(...good.map(({ width }) => width));
    const widest = Math.max(...own.map(({ width, rowWidth }) => Math.max(width, rowWidth)));
    if (widest > 1) return widest;
    return own.every(({ isEven }) => isEven) ? 1 : 0;
  };
  return DELIMITERS.reduce<string>((best, one) => (score(one) > score(best) ? one : best), DELIMITERS[0]);
}

const isGood = ({ width, isEven }: Split) => width > 1 && isEven;

function splitOf(head: CsvHead, syntax: RecordSyntax): Split {
  const widths: number[] = [];
  let isClean = true;
  for (const { values, isOpen, isUnclosed, hasTextBehindQuote } of csvRecords(head.text, syntax)) {
    if (isOpen && !head.isWhole && widths.length > 0) break;
    widths.push(values.length);
    if (hasTextBehindQuote || (isUnclosed && head.isWhole)) isClean = false;
    if (widths.length >= RECORDS_MAX) break;
  }
  const [width = 0, ...rows] = widths;
  return {
    width,
    rowWidth: rows.every((row) => row === rows[0]) ? (rows[0] ?? 0) : 0,
    isEven: isClean && rows.every((row) => row === width),
  };
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
