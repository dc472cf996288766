import { basename } from "node:path";

import { compareColumn } from "./compare-column.ts";
import type { Malformed, ReaderTable, WrittenFile, WrittenTable } from "./model.ts";

/** How many differences of one table are listed. */
const LISTED_MAX = 4;

/**
 * How a table that is shown differs from what was written; empty when it does not. A table may be refused only when it
 * is malformed, and then by file and line, or ambiguous.
 */
export function differencesOf(written: WrittenTable, actual: ReaderTable | undefined): readonly string[] {
  if (actual === undefined) return ["it is neither shown nor refused"];
  if (written.malformed !== null) return refusalFaults(written.malformed, actual);
  if (actual.error !== null && isOneColumn(written)) return [];
  if (actual.error !== null) return [`it is refused: ${actual.error}`];
  const missing = written.columns.filter(
    ({ name }) => !actual.columns.some((column) => column.name === name),
  );
  if (missing.length > 0) {
    return [
      `no column ${list(missing.map(({ name }) => name))}; there are ${list(actual.columns.map(({ name }) => name))}`,
    ];
  }
  if (actual.columns.length > written.columns.length) {
    return [`too many columns: ${list(actual.columns.map(({ name }) => name))}`];
  }
  const count = written.files.reduce((sum, { rows }) => sum + rows.length, 0);
  if (actual.rows.length !== count) return [`${actual.rows.length} rows instead of ${count}`];
  // In which order the files come is the reader's choice; the rows of each keep theirs.
  const attempts = permutations(written.files).map((files) => cellDifferences(written, files, actual));
  const best = attempts.reduce((a, b) => (b.length < a.length ? b : a));
  return best.length <= LISTED_MAX ? best : [...best.slice(0, LISTED_MAX), `… ${best.length} in all`];
}

/**
 * A CSV file of one column without an option that names its delimiter looks like one whose header is too short when
 * every value holds the same number of commas, so it may be refused.
 */
function isOneColumn({ format, columns, options }: WrittenTable): boolean {
  return format === "csv" && columns.length === 1 && !JSON.stringify(options ?? {}).includes("delimiter");
}

function refusalFaults({ what, file, lines }: Malformed, actual: ReaderTable): readonly string[] {
  if (actual.error === null) return [`${what} in ${file} is not noticed`];
  const faults: string[] = [];
  if (!actual.error.includes(basename(file)))
    faults.push(`${what}: the error does not name ${file}: ${actual.error}`);
  if (lines !== null) {
    const numbers = [...actual.error.replaceAll(file, "").matchAll(/\d[\d,]*/g)].map(([text]) =>
      Number(text.replaceAll(",", "")),
    );
    if (!numbers.some((line) => line >= lines.first && line <= lines.last)) {
      const place =
        lines.first === lines.last ? `line ${lines.first}` : `lines ${lines.first} to ${lines.last}`;
      faults.push(`${what}: the error does not name ${place}: ${actual.error}`);
    }
  }
  return faults;
}

function cellDifferences(
  written: WrittenTable,
  files: readonly WrittenFile[],
  actual: ReaderTable,
): readonly string[] {
  const rows = files.flatMap((file) => file.rows);
  return written.columns.flatMap(({ name, what }, at) => {
    const place = actual.columns.findIndex((column) => column.name === name);
    const { type } = actual.columns[place]!;
    const faults = compareColumn(
      type,
      rows.map((row) => row[at]!),
      actual.rows.map((row) => row[place]!),
    );
    return faults.map((fault) => `column ${JSON.stringify(name)} (${what}) is ${type}: ${fault}`);
  });
}

function permutations<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length <= 1) return [items];
  return items.flatMap((item, at) =>
    permutations(items.filter((_, other) => other !== at)).map((rest) => [item, ...rest]),
  );
}

function list(names: readonly string[]): string {
  return names.map((name) => JSON.stringify(name)).join(", ");
}
