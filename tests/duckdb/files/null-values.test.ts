import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { readCsvHead } from "../../../lib/duckdb/files/csv/head.ts";
import { openCsvFile, textColumns } from "../../../lib/duckdb/files/csv/open-csv-file.ts";
import { openCsvFiles } from "../../../lib/duckdb/files/csv/open-csv-files.ts";
import { openCsv } from "../../../lib/duckdb/files/csv/open.ts";
import { PlainCsvFile } from "../../../lib/duckdb/files/csv/plain-csv-file.ts";
import { plainRows } from "../../../lib/duckdb/files/csv/plain-rows.ts";
import { isAgnesError } from "../../../lib/base/mod.ts";
import type { CsvDialect, FileColumn, FileReading } from "../../../lib/kit/mod.ts";
import { seededRandom } from "../../../lib/testing/fakes/fake-host.ts";
import { readParquet } from "../files-parquet-support.ts";
import { open, temporaryDirectory } from "../support.ts";
import { readTable } from "./support.ts";

const DIALECT: CsvDialect = {
  delimiter: ",",
  quote: '"',
  escape: '"',
  header: false,
  nullValues: [""],
  encoding: "utf-8",
  decimalSeparator: ".",
  thousandsSeparator: "",
  skipLines: 0,
  comment: "",
  maxLineBytes: 1 << 20,
};

/** What each way of reading a CSV file returns: the rows as JSON, or the code of the error. */
async function waysOf(content: string, columns: readonly FileColumn[], csv: Partial<CsvDialect>) {
  await using directory = await temporaryDirectory();
  await using opened = await open({ settings: { preserve_insertion_order: "true" } });
  const { connection } = opened;
  const written = async (name: string, bytes: string | Uint8Array, more: Partial<CsvDialect> = {}) => {
    const path = join(directory.path, name);
    await writeFile(path, bytes);
    const names = columns.map((column) => column.name);
    const dialect = { ...DIALECT, names, ...csv, ...more };
    const reading: FileReading = { format: "csv", csv: dialect, columns };
    return { kind: "file", format: "csv", data: path, origin: name, reading } as const;
  };
  const texts = async (select: string) => {
    const sql = `SELECT to_json(t)::VARCHAR AS row FROM (${select}) t`;
    return (await connection.rows<{ row: string }>(sql)).map(({ row }) => row);
  };
  const rows = async (file: Awaited<ReturnType<typeof openCsvFile>>) => {
    try {
      return await texts(file.select);
    } catch (error) {
      const explained = await file.explain(error);
      return isAgnesError(explained) ? explained.code : String(explained);
    }
  };
  const byText = await written("text.csv", content);
  await using text = await openCsvFile(byText, { connection });
  const utf16 = Buffer.from(`\ufeff${content}`, "utf16le");
  await using copied = await openCsvFile(await written("copied.csv", utf16), { connection });
  const mixed = await written("mixed.csv", `# x\r\n${content}`, { comment: "#" });
  await using rewritten = await openCsvFile(mixed, { connection });
  const head = await readCsvHead({ path: byText.data }, byText.reading.csv!);
  const names = columns.map((column) => column.name);
  const own = textColumns({ path: byText.data }, names, columns);
  const plain = await plainRows(head, byText.reading.csv!, own);
  const readable = await openCsv(head, byText.reading.csv!);
  const parts = {
    head,
    names,
    columns: own,
    dialect: byText.reading.csv!,
    readable,
    options: { connection },
  };
  const isPlain = plain !== null && (await plain.holds(undefined));
  const together = await openCsvFiles([byText, await written("other.csv", content)], {});
  const list = columns.map(({ name }) => name).join(", ");
  const first = async () => texts(`SELECT ${list} FROM (${together!.select}) WHERE agnes_file = '0'`);
  const sorted = await text.sortOut(connection);
  return {
    text: await rows(text),
    copied: await rows(copied),
    rewritten: await rows(rewritten),
    plain: isPlain ? await rows(new PlainCsvFile(parts, plain)) : null,
    // Mixed line ends need a copy.
    together: together === null ? null : await first().catch(() => "failed"),
    fitting: await texts(sorted.select),
  };
}

const AMOUNT: FileColumn = { name: "amount", type: "DECIMAL(9,2)", given: true };
const NAME: FileColumn = { name: "name", type: "VARCHAR", given: true };

test("quotedNulls: false keeps quoted null values as text on each way of reading", async () => {
  const content = '1.50,a\n,\n,""\n"2.5","NULL"\n3,NULL\n';
  const csv = { quotedNulls: false, nullValues: ["", "NULL"] };
  const rows = [
    '{"amount":1.5,"name":"a"}',
    '{"amount":null,"name":null}',
    '{"amount":null,"name":""}',
    '{"amount":2.5,"name":"NULL"}',
    '{"amount":3.0,"name":null}',
  ];
  const found = await waysOf(content, [AMOUNT, NAME], csv);
  expect(found).toEqual({
    text: rows,
    copied: rows,
    rewritten: rows,
    plain: rows,
    together: rows,
    fitting: rows,
  });
  const quoted = await waysOf(content, [AMOUNT, NAME], { nullValues: ["", "NULL"] });
  const nulled = rows.map((row) =>
    row.replace('"name":"NULL"', '"name":null').replace('"name":""', '"name":null'),
  );
  expect(quoted.text).toEqual(nulled);
  expect(quoted.plain).toEqual(nulled);
});

test("quotedNulls: false makes a quoted null value of a column with another type a misfit", async () => {
  const found = await waysOf('1.50,a\n"",b\n', [AMOUNT, NAME], { quotedNulls: false });
  const fitting = ['{"amount":1.5,"name":"a"}'];
  expect(found).toEqual({
    text: "file_value_invalid",
    copied: "file_value_invalid",
    rewritten: "file_value_invalid",
    // The automaton leaves the column to SQL.
    plain: null,
    together: "failed",
    fitting,
  });
});

test("quotedNulls: false is kept by inspection, which decides types by it", async () => {
  const content = { "t.csv": 'id,name,flag\n1,"",true\n2,,""\n' };
  const found = await readTable(content, { csv: { quotedNulls: false } });
  expect(found.columns).toEqual(["id:BIGINT", "name:VARCHAR", "flag:VARCHAR"]);
  expect(found.rows).toEqual([
    ["1", "", "true"],
    ["2", null, ""],
  ]);
  expect(found.reading.csv?.quotedNulls).toBe(false);
  const usual = await readTable(content, { csv: { quotedNulls: true } });
  expect(usual.columns).toEqual(["id:BIGINT", "name:VARCHAR", "flag:BOOLEAN"]);
  expect(usual.reading.csv).not.toHaveProperty("quotedNulls");
});

test("nullIfEmpty makes empty texts null, quoted or not, on each way of reading", async () => {
  const amount = { ...AMOUNT, nullIfEmpty: true };
  const day: FileColumn = { name: "day", type: "DATE", given: true, format: "%d.%m.%Y", nullIfEmpty: true };
  const name = { ...NAME, nullIfEmpty: true };
  const rows = [
    '{"amount":1.5,"day":"2026-01-31","name":"a"}',
    '{"amount":null,"day":null,"name":""}',
    '{"amount":null,"day":null,"name":""}',
  ];
  const content = '1.50,31.01.2026,a\n"","",""\n"",,""\n';
  for (const csv of [{ quotedNulls: false }, { nullValues: ["NULL"] }]) {
    const { plain, ...others } = await waysOf(content, [amount, day, name], csv);
    const all = { text: rows, copied: rows, rewritten: rows, together: rows, fitting: rows };
    expect(others).toEqual(all);
    expect(plain).toBeNull();
  }
  // DuckDB converts the first column itself.
  const plain = await waysOf('1.50,31.01.2026,a\n,"",b\n', [amount, day, name], { quotedNulls: false });
  expect(plain.plain).toEqual([rows[0]!, '{"amount":null,"day":null,"name":"b"}']);
  const strict = await waysOf(content, [AMOUNT, { ...day, nullIfEmpty: false }, NAME], {
    quotedNulls: false,
  });
  expect(strict.text).toBe("file_value_invalid");
});

test("nullIfEmpty does not make other texts fit", async () => {
  const amount = { ...AMOUNT, nullIfEmpty: true };
  const found = await waysOf('" ",a\n"",b\nx,c\n', [amount, NAME], { quotedNulls: false });
  expect(found.text).toBe("file_value_invalid");
  expect(found.fitting).toEqual(['{"amount":null,"name":"b"}']);
});

test("nullIfEmpty makes empty texts of Parquet files null", async () => {
  const select = "SELECT * FROM (VALUES ('1.5', 'a'), ('', ''), (NULL, NULL), ('x', 'b')) t(amount, name)";
  const amount = { ...AMOUNT, nullIfEmpty: true };
  const name = { ...NAME, nullIfEmpty: true };
  const rows = ['{"amount":1.5,"name":"a"}', '{"amount":null,"name":""}', '{"amount":null,"name":null}'];
  const good = `${select} WHERE amount IS DISTINCT FROM 'x'`;
  expect((await readParquet([good], { columns: [amount, name] })).rows).toEqual(rows);
  const sorted = await readParquet([select], { columns: [amount, name], sortsOut: true });
  expect(sorted.rows).toEqual(rows);
  expect(sorted.rejected.map(({ row, column, value }) => [row, column, value])).toEqual([[4, "amount", "x"]]);
  const strict = await readParquet([select], { columns: [AMOUNT, name], sortsOut: true });
  expect(strict.rejected.map(({ row, value }) => [row, value])).toEqual([
    [2, ""],
    [4, "x"],
  ]);
});

test("nullIfEmpty makes an empty text in the path of a file null", async () => {
  const region: FileColumn = { name: "region", type: "INTEGER", given: true, nullIfEmpty: true };
  const found = await readParquet(["SELECT '1' AS amount"], {
    columns: [AMOUNT, region],
    constants: { region: "" },
  });
  expect(found.rows).toEqual(['{"amount":1.0,"region":null}']);
});

test("quotedNulls: false agrees with a model on random files", async () => {
  for (let seed = 1; seed <= 6; seed++) {
    const random = seededRandom(seed);
    const of = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
    const escape = of(['"', "\\"]);
    const nullValues = of([[""], ["", "NULL"], ["NULL"], ["-", "n/a"]]);
    const lineEnd = of(["\n", "\r\n"]);
    const columns = ["a", "b", "c"].map((name): FileColumn => ({ name, type: "VARCHAR", given: true }));
    const rows = Array.from({ length: 60 }, () =>
      columns.map(() => {
        const text = of(["", "NULL", "-", "n/a", "x", "1,5", 'say "hi"', " ", "two\nlines"]);
        return { text, isQuoted: /[",\n]/.test(text) || random() < 0.5 };
      }),
    );
    const content = rows
      .map((row) =>
        row
          .map(({ text, isQuoted }) => (isQuoted ? `"${text.replaceAll('"', `${escape}"`)}"` : text))
          .join(","),
      )
      .join(lineEnd);
    const expected = rows.map(([a, b, c]) => {
      const [first, second, third] = [a!, b!, c!].map(({ text, isQuoted }) =>
        !isQuoted && nullValues.includes(text) ? null : text,
      );
      return JSON.stringify({ a: first, b: second, c: third });
    });
    const found = await waysOf(content + lineEnd, columns, { quotedNulls: false, nullValues, escape });
    const { plain: _, ...ways } = found;
    for (const [way, read] of Object.entries(ways)) {
      if (read !== null) expect([seed, way, read]).toEqual([seed, way, expected]);
    }
  }
});
