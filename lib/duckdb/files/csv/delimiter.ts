import { AgnesError, formatValue } from "../../../base/mod.ts";
import type { CsvOptions } from "../../../kit/mod.ts";
import type { CsvHead } from "./head.ts";
import { csvRecords } from "./records.ts";
import type { RecordSyntax } from "./structure.ts";
import { looksLikeValue } from "./value-forms.ts";

/** The delimiters that are detected. */
export const DELIMITERS = [",", ";", "\t", "|"] as const;
const RECORDS_MAX = 500;

/** The widths of the records of one file with one delimiter. */
interface Split {
  /** The number of values in the first record. */
  readonly width: number;
  /** The number of values in each other record; 0 if they differ. */
  readonly rowWidth: number;
  /** Whether all records have the width of the first. */
  readonly isEven: boolean;
}

/**
 * Detects the delimiter of a table from the heads of its files.
 *
 * @param known the delimiter of the published table, if any
 * @throws `file_unreadable` if the files of the table differ
 */
export function detectDelimiter(
  heads: readonly CsvHead[],
  syntax: Omit<RecordSyntax, "delimiter">,
  known: string | undefined,
): { readonly delimiter: string; readonly notes: readonly string[] } {
  const declared = heads.find((head) => head.delimiter !== undefined)?.delimiter;
  const splits = heads.map(
    (head) =>
      new Map(DELIMITERS.map((delimiter) => [delimiter as string, splitOf(head, { ...syntax, delimiter })])),
  );
  const rivals = declared === undefined ? rivalsIn(splits) : [];
  const choice = rivals.length > 1 ? chooseAmong(rivals, heads, splits, syntax) : null;
  const best = declared ?? known ?? choice?.delimiter ?? bestDelimiter(splits);
  for (const [at, head] of heads.entries()) {
    const other = bestDelimiter([splits[at]!]);
    const own = splits[at]!.get(best) ?? splitOf(head, { ...syntax, delimiter: best });
    if (own.width > 1 || other === best || !isGood(splits[at]!.get(other)!)) continue;
    const advice =
      known === undefined
        ? ""
        : `; if all files of the table use ${named(other)} now, run \`agnes sync --full\``;
    const reason = `its delimiter is ${named(other)}, but that of its table is ${named(best)}${advice}`;
    throw new AgnesError("file_unreadable", { path: head.file.origin ?? head.file.path, reason });
  }
  const isDoubtful = choice !== null && rivals.includes(best);
  const other = !isDoubtful ? null : choice.delimiter === best ? choice.other : choice.delimiter;
  return { delimiter: best, notes: other === null ? [] : [doubt(best, other)] };
}

const doubt = (best: string, other: string) =>
  `the delimiter may be ${named(best)} or ${named(other)}, because both split the records evenly; ${named(best)} is used; set csv.delimiter to the correct one`;

/** The delimiters that split the same files evenly as the best one; none if no file splits evenly. */
function rivalsIn(splits: readonly ReadonlyMap<string, Split>[]): readonly string[] {
  const filesOf = (delimiter: string) =>
    splits.flatMap((split, at) => (isGood(split.get(delimiter)!) ? [at] : [])).join();
  const files = filesOf(bestDelimiter(splits));
  return files === "" ? [] : DELIMITERS.filter((delimiter) => filesOf(delimiter) === files);
}

/** A smaller lead is not significant: it may come from a few values. */
const LEAD_MIN = 0.1;

/**
 * Chooses, among delimiters that all split the records evenly, the one whose fields look most like values. The others
 * occur inside numbers such as `1,50`, or beside spaces as in `a, b`.
 *
 * @returns the delimiter, and another one that is equally likely, if any
 */
function chooseAmong(
  rivals: readonly string[],
  heads: readonly CsvHead[],
  splits: readonly ReadonlyMap<string, Split>[],
  syntax: Omit<RecordSyntax, "delimiter">,
): { readonly delimiter: string; readonly other: string | null } {
  const scores = rivals.map((delimiter) => ({
    delimiter,
    score: valueScore(heads, { ...syntax, delimiter }),
  }));
  const lead = Math.max(...scores.map(({ score }) => score));
  const likely = scores.filter(({ score }) => lead - score < LEAD_MIN).map(({ delimiter }) => delimiter);
  const delimiter = bestDelimiter(splits, likely);
  return { delimiter, other: likely.find((one) => one !== delimiter) ?? null };
}

/** The share of numbers, dates, times and booleans among the values, minus that of values with outer spaces: -1 to 1. */
function valueScore(heads: readonly CsvHead[], syntax: RecordSyntax): number {
  let values = 0;
  let score = 0;
  for (const head of heads) {
    let records = 0;
    for (const record of csvRecords(head.text, syntax)) {
      for (const value of record.values) {
        if (value === "") continue;
        values += 1;
        if (/^ | $/.test(value)) score -= 1;
        // Digits after a zero may be the rest of `1,05`.
        else if (looksLikeValue(value) && !/^0\d+$/.test(value)) score += 1;
      }
      records += 1;
      if (records >= RECORDS_MAX) break;
    }
  }
  return values === 0 ? 0 : score / values;
}

/**
 * Rejects a file that does not contain the configured delimiter and so would become one column of text. To read whole
 * lines, set `names` to one name.
 */
export function checkDelimiter(heads: readonly CsvHead[], csv: CsvOptions, syntax: RecordSyntax): void {
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
    const line = formatValue(first!.values.join(other), 100);
    const reason = `it does not contain the csv.delimiter ${named(syntax.delimiter)}: the delimiter of ${line} is ${named(other)}; correct csv.delimiter, or set csv.names to one name to read whole lines`;
    throw new AgnesError("file_unreadable", { path: head.file.origin ?? head.file.path, reason });
  }
}

/**
 * The delimiter that splits records into the same number of values. More values are better; among equals, the first one
 * wins. A file of one column gets a delimiter that none of its values contains, unless all of its rows split evenly: then
 * its header is too short.
 */
function bestDelimiter(
  splits: readonly ReadonlyMap<string, Split>[],
  among: readonly string[] = DELIMITERS,
): string {
  const score = (delimiter: string) => {
    const own = splits.map((split) => split.get(delimiter)!);
    const good = own.filter(isGood);
    if (good.length > 0) return 1e6 * good.length + Math.max(...good.map(({ width }) => width));
    const widest = Math.max(...own.map(({ width, rowWidth }) => Math.max(width, rowWidth)));
    if (widest > 1) return widest;
    return own.every(({ isEven }) => isEven) ? 1 : 0;
  };
  return among.reduce<string>((best, one) => (score(one) > score(best) ? one : best), among[0]!);
}

/** Whether every record of the head of a file has as many values as the first, and more than one. */
export function splitsEvenly(head: CsvHead, syntax: RecordSyntax): boolean {
  return isGood(splitOf(head, syntax));
}

const isGood = ({ width, isEven }: Split) => width > 1 && isEven;

function splitOf(head: CsvHead, syntax: RecordSyntax): Split {
  const widths: number[] = [];
  let isClean = true;
  for (const { values, isOpen, isUnclosed, hasTextAfterQuote } of csvRecords(head.text, syntax)) {
    if (isOpen && !head.isWhole && widths.length > 0) break;
    widths.push(values.length);
    if (hasTextAfterQuote || (isUnclosed && head.isWhole)) isClean = false;
    if (widths.length >= RECORDS_MAX) break;
  }
  const [width = 0, ...rows] = widths;
  return {
    width,
    rowWidth: rows.every((row) => row === rows[0]) ? (rows[0] ?? 0) : 0,
    isEven: isClean && rows.every((row) => row === width),
  };
}

const named = (delimiter: string) => (delimiter === "\t" ? "tab" : `"${delimiter}"`);
