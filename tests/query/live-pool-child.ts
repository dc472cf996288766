// Run by live-pool.test.ts in Bun and Node, with a small thread pool; arguments: "answers" or "refuses", a directory.
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import * as v from "valibot";

import { openDatabase, openStream } from "../../lib/duckdb/mod.ts";
import { definePlugin, int64, table, toSchema, utf8 } from "../../lib/kit/mod.ts";
import { createAgnes } from "../../lib/mod.ts";

const QUERIES: readonly (readonly [string, number])[] = [
  ["SELECT count(*) AS n FROM a JOIN b ON a.id = b.id", 10],
  ["SELECT count(*) AS n FROM b JOIN a USING (id)", 10],
  ["SELECT count(*) AS n FROM b LEFT JOIN a USING (id) JOIN c USING (id)", 10],
  ["SELECT count(*) AS n FROM a WHERE id IN (SELECT id FROM b)", 10],
  ["SELECT (SELECT count(*) FROM a) + (SELECT count(*) FROM b) AS n", 20],
  [
    "SELECT count(*) AS n FROM (SELECT id FROM a UNION ALL SELECT id FROM b UNION ALL FROM (SELECT id FROM c))",
    30,
  ],
  [
    "WITH w AS (SELECT * FROM b) SELECT count(*) AS n FROM w x JOIN w y USING (id), (SELECT * FROM a LIMIT 1)",
    10,
  ],
  ["SELECT count(*) AS n FROM b x JOIN b y USING (id)", 10],
  ["SELECT count(*) AS n FROM b", 10],
];

// Each read needs the pool twice: for a file, and for a query of the source.
const plugin = definePlugin({
  name: "live",
  version: "1.0.0",
  description: "Three tables",
  capabilities: ["discover", "read"],
  options: v.strictObject({}),
  secrets: {},
  connect: ({ duckdb }) => ({
    discover: async () => ["a", "b", "c"].map((name) => table(name, { id: int64(), customer: utf8() })),
    async *read() {
      await readFile(process.argv[1]!);
      const { batches } = await duckdb.query("SELECT range AS id, 'c' || range AS customer FROM range(10)");
      yield* batches;
    },
  }),
});

async function runQueries(directory: string): Promise<string> {
  const config = { version: 1 as const, sources: { live: { plugin: "live" } } };
  await using agnes = await createAgnes({ workspace: directory, plugins: [plugin], config });
  const tables = await agnes.tables();
  for (const [name, queryMode] of [
    ["a", "local"],
    ["b", "remote"],
    ["c", "remote"],
  ] as const) {
    await tables.register({ source: "live", sourceTable: name, queryMode });
  }
  await agnes.sync();
  // Twice as many at once as any of the pools has threads.
  const all = await Promise.all(
    QUERIES.map(async ([sql, n]) => {
      const rows = await agnes.rows<{ n: number }>(sql);
      return rows[0]!.n === n ? [] : [`${sql}: ${rows[0]!.n}`];
    }),
  );
  return all.flat().join("\n") || "done";
}

/** A statement that DuckDB binds again when it starts, which would block the event loop. */
async function refuses(directory: string): Promise<string> {
  await using database = await openDatabase();
  await using connection = await database.connect();
  const path = join(directory, "a.parquet");
  await connection.run(`COPY (SELECT range AS id FROM range(3)) TO '${path}'`);
  const source = { schema: toSchema({ id: int64() }), async *open() {} };
  const { relation } = openStream(database, source);
  return await connection.rows(`SELECT * FROM ${relation} JOIN '${path}' USING (id)`).then(
    () => "it ran",
    (error: { code: string }) => error.code,
  );
}

const work = process.argv[2] === "answers" ? runQueries : refuses;
void work(process.argv[3]!).then((text) => process.stdout.write(text));
