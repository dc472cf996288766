import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { readWithAgnes } from "../differential/agnes-reader.ts";
import { differencesOf } from "../differential/compare.ts";
import { NULL_CELL, type WrittenTable } from "../differential/model.ts";

/** https://github.com/maxogden/csv-spectrum: CSV files, each with the values it holds as JSON. */
const CORPUS = dirname(fileURLToPath(import.meta.resolve("csv-spectrum/package.json")));

/** The JSON of one file has another telephone number than its CSV. */
const TELEPHONES = { json: "1234567890", csv: "2095257564" };

const names = readdirSync(join(CORPUS, "csvs")).map((file) => file.replace(".csv", ""));

/** The corpus defines which fields are empty text; in Agnes, an empty field is NULL, quoted or not. */
function tableOf(name: string): WrittenTable {
  const json = readFileSync(join(CORPUS, "json", `${name}.json`), "utf8");
  const parsed = JSON.parse(json.replace(TELEPHONES.json, TELEPHONES.csv)) as Record<string, string>[];
  const rows = [parsed].flat();
  const columns = Object.keys(rows[0]!);
  const cells = rows.map((row) =>
    columns.map((column) => {
      const text = row[column]!;
      return text === "" ? NULL_CELL : ({ kind: "text", text } as const);
    }),
  );
  const bytes = readFileSync(join(CORPUS, "csvs", `${name}.csv`));
  return {
    seed: 0,
    name,
    format: "csv",
    dialect: "",
    columns: columns.map((column) => ({ name: column, what: "text" })),
    files: [{ path: `${name}.csv`, bytes, rows: cells }],
    options: null,
    malformed: null,
  };
}

test("createAgnes() shows every file of csv-spectrum as it is meant", async () => {
  expect(names.length).toBe(12);
  const tables = names.map(tableOf);
  const actual = await readWithAgnes(tables);
  const differing = tables.map((table) => [table.name, differencesOf(table, actual.get(table.name))]);
  expect(differing.filter(([, differences]) => differences!.length > 0)).toEqual([]);
});
