import type { Cell, Reader, ReaderTable, WrittenTable } from "./model.ts";

/** A reader that shows every value as the text that was written, and refuses what is malformed by file and line. */
export const faithfulReader: Reader = (tables) =>
  Promise.resolve(new Map(tables.map((table) => [table.name, faithful(table)])));

function faithful({ columns, files, malformed }: WrittenTable): ReaderTable {
  if (malformed !== null)
    return { error: `${malformed.file}:${malformed.lines?.first ?? 0}`, columns: [], rows: [] };
  return {
    error: null,
    columns: columns.map(({ name }) => ({ name, type: "VARCHAR" })),
    rows: files.flatMap(({ rows }) => rows.map((row) => row.map(textOf))),
  };
}

function textOf(cell: Cell): string | null {
  return cell.kind === "null" ? null : cell.text;
}

function changing(change: (actual: ReaderTable, written: WrittenTable) => ReaderTable): Reader {
  return (tables) =>
    Promise.resolve(new Map(tables.map((table) => [table.name, change(faithful(table), table)])));
}

/** Changes the values of whole columns, of those whose values all pass the test. */
function columnsThat(
  test: (text: string) => boolean,
  type: string,
  change: (text: string) => string | null,
): Reader {
  return changing((actual) => {
    const changed = actual.columns.map((_, at) => {
      const held = actual.rows.map((row) => row[at]!).filter((text) => text !== null);
      return held.length > 0 && held.every(test);
    });
    return {
      error: actual.error,
      columns: actual.columns.map((column, at) => (changed[at]! ? { ...column, type } : column)),
      rows: actual.rows.map((row) =>
        row.map((text, at) => (text !== null && changed[at]! ? change(text) : text)),
      ),
    };
  });
}

/** Changes single texts. */
function textsThat(test: RegExp, change: (text: string) => string | null): Reader {
  return changing((actual) => ({
    ...actual,
    rows: actual.rows.map((row) =>
      row.map((text) => (text !== null && test.test(text) ? change(text) : text)),
    ),
  }));
}

const isNumber = (text: string): boolean => text.trim() !== "" && Number.isFinite(Number(text));
const iso = (y: string, m: string, d: string): string => `${y}-${m.padStart(2, "0")}-${d.padStart(2, "0")}`;

/** Readers with one fault each, such as readers have had. */
export const brokenReaders: Readonly<Record<string, Reader>> = {
  "takes words for booleans": columnsThat(
    (text) => /^(?:yes|no|y|n|t|f)$/i.test(text),
    "BOOLEAN",
    (text) => String(/^[yt]/i.test(text)),
  ),
  "takes the country NO for false": columnsThat(
    (text) => text === "NO",
    "BOOLEAN",
    () => "false",
  ),
  "takes zero and one for booleans": columnsThat(
    (text) => /^[01]$/.test(text),
    "BOOLEAN",
    (text) => String(text === "1"),
  ),
  "makes doubles of all numbers": columnsThat(isNumber, "DOUBLE", (text) => String(Number(text))),
  "makes a double of a whole number beyond 2^53": columnsThat(
    (text) => /^-?[1-9]\d{15,18}$/.test(text),
    "BIGINT",
    (text) => BigInt(Number(text)).toString(),
  ),
  "drops leading zeros": columnsThat(
    (text) => /^0\d+$/.test(text),
    "BIGINT",
    (text) => BigInt(text).toString(),
  ),
  "drops plus signs": columnsThat(
    (text) => /^\+\d+$/.test(text),
    "BIGINT",
    (text) => text.slice(1),
  ),
  "reads underscores in numbers": columnsThat(
    (text) => /^\d+_\d+$/.test(text),
    "BIGINT",
    (text) => text.replace("_", ""),
  ),
  "reads hex": columnsThat(
    (text) => /^0x[\da-f]+$/.test(text),
    "BIGINT",
    (text) => BigInt(text).toString(),
  ),
  "reads grouped numbers": columnsThat(
    (text) => /^\d+,\d{3}$/.test(text),
    "BIGINT",
    (text) => text.replace(",", ""),
  ),
  "reads part numbers as powers of ten": columnsThat(
    (text) => /^\d{4}e\d+$/.test(text),
    "DOUBLE",
    (text) => text,
  ),
  "rounds fractions": columnsThat(
    (text) => /^-?\d+\.\d{7,}$/.test(text),
    "DECIMAL(18,6)",
    (text) => text.replace(/(\.\d{6}).*/, "$1"),
  ),
  "loses the sign of zero": textsThat(/^-0(?:\.0)?$/, (text) => text.slice(1)),
  "takes the month first": columnsThat(
    (text) => /^\d\d\/\d\d\/\d{4}$/.test(text),
    "DATE",
    (text) => {
      const [m, d, y] = text.split("/");
      return iso(y!, m!, d!);
    },
  ),
  "takes the day first, although the column is ambiguous": columnsThat(
    (text) => /^(?:0\d|1[012])\/(?:0\d|1[012])\/\d{4}$/.test(text),
    "DATE",
    (text) => {
      const [d, m, y] = text.split("/");
      return iso(y!, m!, d!);
    },
  ),
  "reads years of two digits": columnsThat(
    (text) => /^\d\d\/\d\d\/\d\d$/.test(text),
    "DATE",
    (text) => {
      const [d, m, y] = text.split("/");
      return iso(`20${y!}`, m!, d!);
    },
  ),
  "reads numbers with dots as days": columnsThat(
    (text) => /^\d+\.\d+\.\d\d$/.test(text),
    "DATE",
    (text) => {
      const [d, m, y] = text.split(".");
      return iso(`20${y!}`, m!, d!);
    },
  ),
  "drops zones": columnsThat(
    (text) => /^\d{4}-.*:.*[+-]\d\d:\d\d$/.test(text),
    "TIMESTAMP",
    (text) => text.slice(0, -6),
  ),
  "adds zones": columnsThat(
    (text) => /^\d{4}-.*T\d\d:\d\d:\d\d$/.test(text),
    "TIMESTAMP WITH TIME ZONE",
    (text) => text,
  ),
  "cuts moments to microseconds": columnsThat(
    (text) => /\.\d{9}$/.test(text),
    "TIMESTAMP",
    (text) => text.slice(0, -3),
  ),
  "rolls impossible days over": columnsThat(
    (text) => /^202\d-02-\d\d$/.test(text),
    "DATE",
    (text) => (text === "2024-02-30" ? "2024-03-01" : text),
  ),
  "shows NULL for words": textsThat(/^(?:NULL|N\/A|NA|None|\\N)$/, () => null),
  "shows NULL for what does not fit": textsThat(/^(?:inf|nan)$/, () => null),
  trims: textsThat(/^ | $/, (text) => text.trim()),
  "changes line breaks inside values": textsThat(/\r\n/, (text) => text.replaceAll("\r\n", "\n")),
  "cuts at line breaks": textsThat(/\n/, (text) => text.split("\n")[0]!),
  "keeps doubled quotes": textsThat(/"/, (text) => text.replaceAll('"', '""')),
  "loses characters beyond 16 bit": textsThat(/[\u{10000}-\u{10ffff}]/u, (text) =>
    text.replace(/[\u{10000}-\u{10ffff}]/gu, "?"),
  ),
  "decodes UTF-8 as latin-1": textsThat(/[é日]/, (text) => Buffer.from(text).toString("latin1")),
  "skips rows that look like comments": changing((actual) => ({
    ...actual,
    rows: actual.rows.filter((row) => row[0]?.startsWith("#") !== true),
  })),
  "swallows the first row": changing((actual) => ({ ...actual, rows: actual.rows.slice(1) })),
  "loses the last row": changing((actual) => ({ ...actual, rows: actual.rows.slice(0, -1) })),
  "shows a row twice": changing((actual) => ({
    ...actual,
    rows: [...actual.rows, ...actual.rows.slice(-1)],
  })),
  "sorts rows": changing((actual) => ({
    ...actual,
    rows: [...actual.rows].sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1)),
  })),
  "stops after the sample": changing((actual) => ({ ...actual, rows: actual.rows.slice(0, 20_480) })),
  "joins files by place, not by name": changing((actual, { files }) => ({
    ...actual,
    rows: files.flatMap(({ rows }, at) =>
      rows.map((row) => (at === 0 ? row : [...row].reverse()).map(textOf)),
    ),
  })),
  "shows no column at all but one": changing((actual) => ({
    error: actual.error,
    columns: actual.columns.slice(0, 1),
    rows: actual.rows.map((row) => row.slice(0, 1)),
  })),
  "makes numbers of JSON's strings": changing((actual, { columns, files }) => ({
    ...actual,
    columns: columns.map(({ name }, at) => {
      const cells = files.flatMap(({ rows }) => rows.map((row) => row[at]!));
      const isString = cells.some(({ kind }) => kind === "string");
      return {
        name,
        type:
          isString && cells.every((cell) => cell.kind === "null" || isNumber(cell.text))
            ? "BIGINT"
            : "VARCHAR",
      };
    }),
  })),
  "loses a field of an object": textsThat(/^\{"a":1/, () => '{"a":1}'),
  "accepts what is malformed": changing((actual, { malformed, columns }) =>
    malformed === null
      ? actual
      : { error: null, columns: columns.map(({ name }) => ({ name, type: "VARCHAR" })), rows: [] },
  ),
  "names no line": changing((actual, { malformed }) =>
    malformed === null ? actual : { ...actual, error: malformed.file },
  ),
  "names no file": changing((actual, { malformed }) =>
    malformed === null ? actual : { ...actual, error: `line ${malformed.lines?.first ?? 0}` },
  ),
  "refuses what it should read": changing((actual, { columns }) =>
    columns.length === 1 ? { error: "sniffing failed", columns: [], rows: [] } : actual,
  ),
  "forgets a table": (tables) => faithfulReader(tables.slice(1)),
};
