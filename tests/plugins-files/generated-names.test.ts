import { expect, test } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import { makeFolder, type Folder } from "./support.ts";
import { syncFolder } from "./sync-folder.ts";

/** The header and the rows of integers, by file. */
type Files = Readonly<Record<string, readonly string[]>>;

async function write(folder: Folder, format: string, files: Files): Promise<void> {
  for (const [name, [header, ...rows]] of Object.entries(files)) {
    if (format === "csv") await folder.write(`data/t/${name}.csv`, [header, ...rows, ""].join("\n"));
    else await writeParquet(folder, `data/t/${name}.parquet`, { names: header!.split(","), rows });
  }
}

/** DuckDB cannot write empty or repeated names, so this changes the footer. */
async function writeParquet(
  folder: Folder,
  file: string,
  { names, rows }: { readonly names: readonly string[]; readonly rows: readonly string[] },
): Promise<void> {
  await folder.write(file, "");
  const columns = names.map((_, at) => `column_${at}`);
  const values = `(VALUES ${rows.map((row) => `(${row})`).join(", ")})`;
  await folder.sql(`COPY (FROM ${values} t(${columns.join(", ")})) TO '@/${file}' (FORMAT parquet)`);
  const path = join(folder.path, file);
  const bytes = await readFile(path);
  const start = bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8);
  let footer = bytes.toString("latin1", start, bytes.length - 8);
  for (const [at, name] of names.entries()) {
    footer = footer.replaceAll(`\x08column_${at}`, String.fromCharCode(name.length) + name);
  }
  const length = Buffer.alloc(4);
  length.writeUInt32LE(footer.length);
  await writeFile(
    path,
    Buffer.concat([bytes.subarray(0, start), Buffer.from(footer, "latin1"), length, Buffer.from("PAR1")]),
  );
}

/** The published rows as JSON, without the nulls of columns that are missing in a file. */
async function published(folder: Folder): Promise<readonly string[]> {
  const path = join(folder.path, "extract/extract.duckdb");
  await using database = await openDatabase({ path, readOnly: true });
  await using connection = await database.connect();
  const rows = await connection.rows("SELECT * FROM t ORDER BY 1");
  return rows.map((row) => {
    const values = Object.entries(row).filter(([, value]) => value !== null);
    return JSON.stringify(Object.fromEntries(values.map(([name, value]) => [name, Number(value)])));
  });
}

const syncs: readonly (readonly [title: string, ...steps: (readonly [Files, string[]])[]])[] = [
  [
    "a name that was made for a column becomes another one when a new file has it",
    [{ a: ["id,amount,amount", "1,10,20"] }, ['{"id":1,"amount":10,"amount_1":20}']],
    [
      { b: ["id,amount,amount_1", "2,30,99"] },
      ['{"id":1,"amount":10,"amount_2":20}', '{"id":2,"amount":30,"amount_1":99}'],
    ],
    [
      { c: ["id,amount,amount", "3,50,60"] },
      [
        '{"id":1,"amount":10,"amount_2":20}',
        '{"id":2,"amount":30,"amount_1":99}',
        '{"id":3,"amount":50,"amount_2":60}',
      ],
    ],
  ],
  [
    "a column of its own name stays apart from a repeated one in a new file",
    [{ a: ["id,id_1,id", "1,2,3"] }, ['{"id":1,"id_1":2,"id_2":3}']],
    [{ b: ["id,id", "4,5"] }, ['{"id":1,"id_1":2,"id_2":3}', '{"id":4,"id_2":5}']],
  ],
  [
    "an empty name and a column that is called like the one made for it",
    [{ a: ["id,,x", "1,7,5"] }, ['{"id":1,"column1":7,"x":5}']],
    [{ b: ["id,x,Column1", "2,5,8"] }, ['{"id":1,"x":5,"column1_1":7}', '{"id":2,"column1":8,"x":5}']],
  ],
  [
    "a repeated name beside names that differ from the published ones by case",
    [{ a: ["Id,Amount,Amount", "1,10,20"] }, ['{"Id":1,"Amount":10,"Amount_1":20}']],
    [{ a: ["ID,AMOUNT,AMOUNT", "1,10,21"] }, ['{"Id":1,"Amount":10,"Amount_1":21}']],
    [
      { a: ["ID,AMOUNT,AMOUNT", "1,10,21"], b: ["ID,AMOUNT,amount_1", "2,30,99"] },
      ['{"Id":1,"Amount":10,"AMOUNT_2":21}', '{"Id":2,"Amount":30,"Amount_1":99}'],
    ],
  ],
  [
    "a file that is rewritten so that the name of a column is the one that was made",
    [{ a: ["id,id,v", "1,2,3"] }, ['{"id":1,"id_1":2,"v":3}']],
    [{ a: ["id,v,id_1", "1,3,9"], b: ["id,id", "4,5"] }, ['{"id":1,"id_1":9,"v":3}', '{"id":4,"id_2":5}']],
  ],
];

test.each(
  syncs.flatMap(([title, ...steps]) => [
    [title, "csv", "full_refresh", steps] as const,
    [title, "parquet", "incremental", steps] as const,
  ]),
)("files: %s (%s, %s)", async (_title, format, strategy, steps) => {
  await using folder = await makeFolder();
  const sync = () => syncFolder(folder, { path: "data" }, { plan: { strategy } });
  for (const [files, expected] of steps) {
    await write(folder, format, files);
    const { errors } = await sync();
    expect(errors.map(({ error }) => error.message)).toEqual([]);
    expect(await published(folder)).toEqual(expected);
  }
  expect((await sync()).tablesSkipped).toBe(1);
});

test.each(["csv", "parquet"])("files: no column gets the name of a partition (%s)", async (format) => {
  await using folder = await makeFolder();
  await write(folder, format, { "column1=5/a": ["id,", "1,7"] });
  const { errors } = await syncFolder(folder, { path: "data", hivePartitions: true });
  expect(errors).toEqual([]);
  expect(await published(folder)).toEqual(['{"id":1,"column1_1":7,"column1":5}']);
});
