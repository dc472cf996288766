import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { createAgnes, type Agnes } from "../../lib/mod.ts";
import files from "../../plugins/files/plugin.ts";
import type { ReaderTable, WrittenTable } from "./model.ts";

/** Reads tables with Agnes: one workspace for all, one sync, then each by SQL. */
export async function readWithAgnes(
  tables: readonly WrittenTable[],
): Promise<ReadonlyMap<string, ReaderTable>> {
  const workspace = await mkdtemp(join(tmpdir(), "agnes-differential-"));
  try {
    for (const file of tables.flatMap((table) => table.files)) {
      const path = join(workspace, "written", file.path);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, file.bytes);
    }
    const options = Object.fromEntries(
      tables.flatMap((table) => (table.options === null ? [] : [[table.name, table.options]])),
    );
    await using agnes = await createAgnes({
      plugins: [files],
      workspace,
      config: {
        version: 1,
        sources: { written: { plugin: "files", options: { path: "./written", tables: options } } },
      },
    });
    const report = await agnes.sync();
    const [source] = report.sources;
    const refusals = new Map(source?.stats?.errors.map(({ table, error }) => [table, error.message]));
    const actual = new Map<string, ReaderTable>();
    for (const { name } of tables) {
      const error = refusals.get(name) ?? source?.error?.message ?? null;
      actual.set(name, error === null ? await showTable(agnes, name).catch(refused) : refused(error));
    }
    return actual;
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
}

/** A table that cannot be asked is no better than one that was not read. */
function refused(error: unknown): ReaderTable {
  return { error: error instanceof Error ? error.message : String(error), columns: [], rows: [] };
}

async function showTable(agnes: Agnes, table: string): Promise<ReaderTable> {
  const empty = await agnes.query(`SELECT * FROM ${table} LIMIT 0`);
  const { names } = empty;
  await empty.close();
  const quoted = names.map((name) => `"${name.replaceAll('"', '""')}"`);
  const numbered = (make: (column: string) => string): string =>
    quoted.map((column, at) => `${make(column)} AS c${at}`).join(", ");
  const [types] = await agnes.rows<Record<string, string>>(
    `SELECT ${numbered((column) => `typeof(${column})`)} FROM (SELECT 1) LEFT JOIN (FROM ${table} LIMIT 1) ON true`,
  );
  const columns = names.map((name, at) => ({ name, type: types![`c${at}`]! }));
  const texts = new Map(quoted.map((column, at) => [column, textOf(column, columns[at]!.type)]));
  const rows = await agnes.rows<Record<string, string | null>>(
    `SELECT ${numbered((column) => texts.get(column)!)} FROM ${table}`,
  );
  return { error: null, columns, rows: rows.map((row) => names.map((_, at) => row[`c${at}`]!)) };
}

function textOf(column: string, type: string): string {
  if (type === "TIMESTAMP WITH TIME ZONE") return `(${column} AT TIME ZONE 'UTC')::VARCHAR`;
  const isNested = /[[(]/.test(type) && !type.startsWith("DECIMAL(");
  return isNested ? `to_json(${column})::VARCHAR` : `${column}::VARCHAR`;
}
