import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { nodeFiles } from "../../../lib/base/mod.ts";
import {
  AutomatonBuilder,
  literalForm,
  loadForms,
  plainForm,
  takesFile,
  type Five,
  type Four,
} from "../../../lib/duckdb/files/automaton/mod.ts";
import { checkText, PLAIN_NUMBERS, tryCastText } from "../../../lib/duckdb/files/text-types.ts";
import { openCsvFile } from "../../../lib/duckdb/files/csv/open-csv-file.ts";
import { readCsvHead } from "../../../lib/duckdb/files/csv/head.ts";
import { openCsv } from "../../../lib/duckdb/files/csv/open.ts";
import { PlainCsvFile } from "../../../lib/duckdb/files/csv/plain-csv-file.ts";
import { plainRows } from "../../../lib/duckdb/files/csv/plain-rows.ts";
import { textColumn } from "../../../lib/duckdb/files/csv/relation.ts";
import { inspectFiles, openDatabase, quoteLiteral } from "../../../lib/duckdb/mod.ts";
import { seededRandom } from "../../../lib/testing/fakes/fake-host.ts";
import { temporaryDirectory } from "../support.ts";

const VALUES: Readonly<Record<string, readonly string[]>> = {
  TINYINT: ["0", "-7", "127", "128", "-128", "007", "+1", " 1", "1.0", "1e2", "-0", "1_0", "0x1"],
  BIGINT: ["9223372036854775807", "9223372036854775808", "-9223372036854775808", "12", "1 ", "1,2", "٣"],
  UBIGINT: ["18446744073709551615", "18446744073709551616", "-1", "0"],
  HUGEINT: ["170141183460469231731687303715884105727", "-1", "00"],
  "DECIMAL(18,2)": [
    "1",
    "1.5",
    "1.50",
    "1.505",
    "-0",
    "-0.00",
    "-0.01",
    "0.00",
    "9999999999999999.99",
    "01.5",
    ".5",
    "5.",
    "1e2",
  ],
  "DECIMAL(4,4)": ["0.1234", "1.0", "-0.0001", "-0.0000"],
  "DECIMAL(38,0)": ["9".repeat(38), "9".repeat(39), "1.0"],
  DOUBLE: [
    "0.1",
    "-0.0",
    "-0",
    "1e5",
    "1.5e5",
    "1.5E+300",
    "1e-05",
    "1e999",
    "1e400",
    "1234e56",
    "123456789012345",
    "1234567890123456",
    "0.1234567890123456",
    "123456789012345678.5",
    "inf",
    "nan",
    "NaN",
    "1.",
    ".1",
  ],
  BOOLEAN: ["true", "FALSE", "tRuE", "t", "1", "yes", "NO"],
  DATE: [
    "2024-02-29",
    "2023-02-29",
    "2100-02-29",
    "2000-02-29",
    "0000-01-01",
    "0001-01-01",
    "2024-04-31",
    "2024-1-1",
    "2024-13-01",
    "99999-01-01",
    "2024-01-01 ",
    "-2024-01-01",
  ],
  TIMESTAMP: [
    "2024-01-01",
    "2024-01-01 10:20",
    "2024-01-01T10:20:30.123456",
    "2024-01-01 10:20:30.1234567",
    "2024-01-01 24:00:00",
    "2024-01-01 10:20:60",
    "2024-01-01 10:20:30Z",
    "2024-01-01 1:2:3",
    "0000-01-01 00:00:00",
  ],
  "TIMESTAMP WITH TIME ZONE": [
    "2024-01-01 10:20:30Z",
    "2024-01-01T10:20:30+02",
    "2024-01-01 10:20:30-05:30",
    "2024-01-01 10:20:30",
    "2024-01-01 10:20:30+25",
    "2024-01-01 10:20:30 UTC",
  ],
  TIME: ["10:20:30", "24:00:00", "10:20", "23:59:59.999999", "23:59:59.9999999"],
};

test.each(Object.entries(VALUES))(
  "plainForm() matches only texts that a %s preserves",
  async (type, values) => {
    await using database = await openDatabase();
    await using connection = await database.connect();
    const form = (await loadForms())(plainForm(type)!);
    const accepts = (text: string) => {
      let state = form.states[0]!;
      for (const character of text) {
        const code = character.codePointAt(0)!;
        const edge = state.edges.find(({ from, to }) => from <= code && code <= to);
        if (edge === undefined) return false;
        state = form.states[edge.state]!;
      }
      return state.isFinal;
    };
    const all = [...new Set([...values, ...Object.values(VALUES).flat()])];
    const list = `[${all.map(quoteLiteral).join(", ")}]`;
    const value = tryCastText({ type }, "text", PLAIN_NUMBERS);
    const checks = await connection.rows<{ text: string; fits: boolean | null }>(
      `SELECT text, (${checkText({ type }, "text", "value", PLAIN_NUMBERS)}) AS fits
     FROM (SELECT text, ${value} AS value FROM (SELECT unnest(${list}) AS text))`,
    );
    const plain = checks.filter(({ text }) => accepts(text));
    // DuckDB rejects texts that are not values.
    expect(plain.filter(({ fits }) => fits === false)).toEqual([]);
    expect(values.some(accepts)).toBe(true);
    expect(values.every(accepts)).toBe(false);
  },
);

test("literalForm() matches exactly one text", async () => {
  const formOf = await loadForms();
  expect(formOf(literalForm("N/A^[x]\\d")).states.filter(({ isFinal }) => isFinal)).toHaveLength(1);
  expect(formOf(literalForm("a.b")).states[1]!.edges).toEqual([{ from: 46, to: 46, state: 2 }]);
});

test("ByteAutomaton.run() and runFour() equal step() for each byte, with and without a table of pairs", () => {
  const random = seededRandom(7);
  const below = (limit: number) => Math.floor(random() * limit);
  for (const size of [3, 40, 3_000]) {
    const builder = new AutomatonBuilder();
    const states = Array.from({ length: size }, () => builder.state());
    for (const state of states) {
      builder.onOthers(state, [below(256)], states[below(size)]!);
      for (let edge = 0; edge < 20; edge++) builder.on(state, below(256), states[below(size)]!);
    }
    const automaton = builder.build();
    for (let round = 0; round < 50; round++) {
      const bytes = Uint8Array.from({ length: 64 }, () => below(256));
      const places = Array.from({ length: 5 }, () => below(65)).toSorted((a, b) => a - b) as unknown as Five;
      const expected = Array.from({ length: 4 }, (_, at) =>
        bytes
          .subarray(places[at], places[at + 1])
          .reduce((state, byte) => automaton.step(state, byte), states[at % 3]!),
      ) as unknown as Four;
      const starts = expected.map((_, at) => states[at % 3]!) as unknown as Four;
      expect(automaton.run(bytes.buffer, places[0], places[1], starts[0])).toBe(expected[0]);
      expect(automaton.runFour(bytes.buffer, places, starts)).toEqual(expected);
    }
  }
});

test("takesFile() rejects an invalid value in any part of a chunk, also if values contain line feeds", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "t.csv");
  // Rows are `n`. Quotes may contain line feeds and `n`; outside quotes, `x` is rejected.
  const builder = new AutomatonBuilder();
  const [rowStart, number, quoted] = [builder.state(), builder.state(), builder.state()];
  const [n, quote, lineFeed, x] = [...Buffer.from('n"\nx')] as unknown as Four;
  builder.on(rowStart, n, number);
  builder.on(number, n, number);
  builder.on(number, quote, quoted);
  builder.on(number, lineFeed, rowStart);
  for (const byte of [n, lineFeed, x]) builder.on(quoted, byte, quoted);
  builder.on(quoted, quote, number);
  const rows = {
    automaton: builder.build(),
    start: rowStart,
    rowStart,
    isEnd: (at: number) => at === rowStart,
  };
  const accepts = async (text: string) => {
    await writeFile(path, text);
    return takesFile({ files: nodeFiles(), path }, rows);
  };
  const size = 2.6 * 1024 * 1024;
  for (const row of [
    "nnn\n",
    'n"\n\n\n\n\n\n\n\n\nx\n"n\n',
    `n"${"x\n".repeat(size / 3)}"\n`,
    `${"n".repeat(700_000)}\n`,
  ]) {
    const text = row.repeat(Math.ceil(size / row.length));
    expect(await accepts(text)).toBe(true);
    expect(await accepts(text.slice(0, -1))).toBe(false);
    for (const share of [0, 0.2, 0.3, 0.5, 0.7, 0.99]) {
      const bytes = Buffer.from(text);
      bytes[Math.floor(share * (bytes.length - 1))] = x;
      const end = bytes.reduce((state, byte) => rows.automaton.step(state, byte), rowStart);
      expect(await accepts(bytes.toString())).toBe(end === rowStart);
    }
  }
});

/** A table with a few kinds of values, and sometimes an unusual one. */
function tableOf(seed: number): { readonly text: string; readonly types: Readonly<Record<string, string>> } {
  const random = seededRandom(seed);
  const of = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const kinds = Object.keys(VALUES).filter(() => random() < 0.4);
  const types = ["VARCHAR", ...kinds];
  const odd = of([0, 0, 0.01]);
  const lineEnd = of(["\n", "\r\n"]);
  const quoted = of([0, 0.2, 1]);
  const delimiter = of([",", ";", " ", "-"]);
  const plain = (type: string) =>
    type === "VARCHAR"
      ? of(["x", "", "č\u{1f600}", 'say "hi"', `a${delimiter}b`, "two\nlines"])
      : of(VALUES[type]!);
  const values = new Map(types.map((type) => [type, [plain(type), plain(type)]]));
  const rows = Array.from({ length: 40 }, () =>
    types.map((type) => {
      const value = random() < odd ? plain(of(types)) : random() < 0.05 ? "" : of(values.get(type)!);
      const needsQuote = value.includes('"') || value.includes("\n") || value.includes(delimiter);
      return needsQuote || random() < quoted ? `"${value.replaceAll('"', '""')}"` : value;
    }),
  );
  const lines = [types.map((_, at) => `k${at}`), ...rows].map((row) => row.join(delimiter));
  const text = lines.join(lineEnd) + of(["", lineEnd]);
  return { text, types: Object.fromEntries(types.map((type, at) => [`k${at}`, type])) };
}

test("plainRows() accepts only files that yield the same values by type and by text", async () => {
  await using directory = await temporaryDirectory();
  await using database = await openDatabase({ settings: { preserve_insertion_order: "true" } });
  await using connection = await database.connect();
  const path = join(directory.path, "t.csv");
  let held = 0;
  for (let seed = 1; seed <= 20; seed++) {
    const { text } = tableOf(seed);
    await writeFile(path, text);
    const { reading } = await inspectFiles(connection, [{ path }], { format: "csv" }).catch(() => ({
      reading: null,
    }));
    if (reading?.csv === undefined) continue;
    const head = await readCsvHead({ files: nodeFiles(), path }, reading.csv);
    const columns = reading.columns.map((column, at) => ({ column, text: textColumn(at) }));
    const plain = await plainRows(head, reading.csv, columns);
    if (plain === null || !(await plain.holds(undefined))) continue;
    held += 1;
    const readable = await openCsv(head, reading.csv);
    const names = columns.map(({ column }) => column.name);
    const parts = { head, names, columns, dialect: reading.csv, readable, options: { connection } };
    await using byType = new PlainCsvFile(parts, plain);
    const chunk = { kind: "file", format: "csv", data: path, reading } as const;
    await using byText = await openCsvFile(chunk, { connection });
    const rowsOf = (select: string) =>
      connection.rows(`SELECT to_json(t)::VARCHAR AS row FROM (${select}) t`);
    expect([seed, await rowsOf(byType.select)]).toEqual([seed, await rowsOf(byText.select)]);
  }
  expect(held).toBeGreaterThan(4);
});

const ROW = "17,1.50,2024-02-29,x\n";

test.each([
  ["a row more", ROW, true],
  ["no line end", ROW.slice(0, -1), true],
  ["a missing value", "17,1.50,2024-02-29\n", false],
  ["an extra value", "17,1.50,2024-02-29,x,y\n", false],
  ["an empty line", `\n${ROW}`, false],
  ["a carriage return", "17,1.50,2024-02-29,x\r\n", false],
  ["an unclosed quote", '17,1.50,2024-02-29,"x\n', false],
  ["text after a quote", '17,1.50,2024-02-29,"x"y\n', false],
  ["a zero byte", "17,1.50,2024-02-29,\0\n", false],
  ["a leading zero", "017,1.50,2024-02-29,x\n", false],
  ["a digit more than the scale", "17,1.505,2024-02-29,x\n", false],
  ["no day", "17,1.50,2023-02-29,x\n", false],
  ["values in quotes", '"17","1.50","2024-02-29","x ""y"""\n', true],
  ["nulls", ",,,\n", true],
])("plainRows() with %s at the end of a large file", async (_what, end, holds) => {
  await using directory = await temporaryDirectory();
  await using database = await openDatabase();
  await using connection = await database.connect();
  const path = join(directory.path, "t.csv");
  await writeFile(path, `id,amount,day,name\n${ROW.repeat(60_000)}`);
  const { reading } = await inspectFiles(connection, [{ path }], { format: "csv" });
  await writeFile(path, `id,amount,day,name\n${ROW.repeat(60_000)}${end}`);
  const columns = reading!.columns.map((column, at) => ({ column, text: textColumn(at) }));
  const plain = await plainRows(
    await readCsvHead({ files: nodeFiles(), path }, reading!.csv!),
    reading!.csv!,
    columns,
  );
  expect(plain!.types).toEqual(["BIGINT", "DECIMAL(18,2)", "DATE", "VARCHAR"]);
  expect(await plain!.holds(undefined)).toBe(holds);
});

test("plainRows() leaves columns in other forms to SQL", async () => {
  await using directory = await temporaryDirectory();
  await using database = await openDatabase();
  await using connection = await database.connect();
  const path = join(directory.path, "t.csv");
  const rows = "5,1.23456789012345678,2024-01-05,31.12.2024\n".repeat(100);
  await writeFile(path, `a,b,c,d\n${rows}`);
  const types = { b: "DOUBLE" };
  const { reading } = await inspectFiles(connection, [{ path }], { format: "csv", types });
  const columns = reading!.columns.map((column, at) => ({ column, text: textColumn(at) }));
  const plain = await plainRows(
    await readCsvHead({ files: nodeFiles(), path }, reading!.csv!),
    reading!.csv!,
    columns,
  );
  expect(plain!.types).toEqual(["BIGINT", "VARCHAR", "DATE", "VARCHAR"]);
  expect(await plain!.holds(undefined)).toBe(true);
});

test("plainRows() reads configured timestamps that end with a space and Z without comparing them", async () => {
  await using directory = await temporaryDirectory();
  await using database = await openDatabase({ settings: { preserve_insertion_order: "true" } });
  await using connection = await database.connect();
  const path = join(directory.path, "t.csv");
  const times = [
    "2024-02-29 23:59:59.999999 Z",
    "0001-01-01 00:00:00 Z",
    "9999-12-31T23:59:59.1 Z",
    "",
    "1969-12-31 23:59:59.000 Z",
  ];
  const content = times.map((time, at) => `${at},${time}\n`).join("");
  await writeFile(path, `id,at\n${content}`);
  const types = { at: "TIMESTAMP WITH TIME ZONE" };
  const { reading } = await inspectFiles(connection, [{ path }], { format: "csv", types });
  const columns = reading!.columns.map((column, at) => ({ column, text: textColumn(at) }));
  const head = await readCsvHead({ files: nodeFiles(), path }, reading!.csv!);
  const plain = await plainRows(head, reading!.csv!, columns);
  expect(plain!.types).toEqual(["BIGINT", "VARCHAR"]);
  expect(await plain!.holds(undefined)).toBe(true);
  const readable = await openCsv(head, reading!.csv!);
  const names = columns.map(({ column }) => column.name);
  const parts = { head, names, columns, dialect: reading!.csv!, readable, options: { connection } };
  await using byType = new PlainCsvFile(parts, plain!);
  await using byText = await openCsvFile(
    { kind: "file", format: "csv", data: path, reading: reading! },
    { connection },
  );
  const rowsOf = (select: string) => connection.rows(`SELECT id, epoch_us("at") AS us FROM (${select})`);
  expect(byType.select).not.toContain("WHERE");
  expect(await rowsOf(byType.select)).toEqual(await rowsOf(byText.select));

  for (const time of [
    "2024-02-30 00:00:00 Z",
    "0000-01-01 00:00:00 Z",
    "2024-01-01 24:00:00 Z",
    "infinity Z",
  ]) {
    await writeFile(path, `id,at\n${content}9,${time}\n`);
    expect([time, await plain!.holds(undefined)]).toEqual([time, false]);
  }
});
