import { expect, test } from "bun:test";
import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";

import { createHost, silentLog } from "../../lib/base/mod.ts";
import { analyticsPath } from "../../lib/analytics/mod.ts";
import { rebuildAnalytics } from "../../lib/analytics/rebuild.ts";
import { openDatabase, quoteLiteral } from "../../lib/duckdb/mod.ts";
import { openQuerySession } from "../../lib/query/mod.ts";
import { readAlone, temporaryData, writeExtract } from "./extract-files.ts";

const services = { host: createHost(), log: silentLog, limits: { memoryMb: 512, threads: 2 } };

/** Publishes generation `n` of an extract like an extractor: new parts, one rename. */
async function publish(data: string, n: number): Promise<void> {
  const scratch = join(data, "scratch");
  await mkdir(join(data, "extracts", "crm", "data"), { recursive: true });
  await using database = await openDatabase();
  await using connection = await database.connect();
  for (const side of ["left", "right"]) {
    const path = quoteLiteral(join(data, "extracts", "crm", "data", `${side}-${n}.parquet`));
    await connection.run(`COPY (SELECT ${n} AS n FROM range(2000)) TO ${path} (FORMAT parquet)`);
  }
  await writeExtract(scratch, "crm", {
    tables: ["left", "right"].map((side) => ({
      name: `${side}_t`,
      object: `VIEW ${side}_t AS SELECT * FROM read_parquet(['${join(data, "extracts", "crm", "data", `${side}-${n}.parquet`)}'])`,
    })),
  });
  await rename(
    join(scratch, "extracts", "crm", "extract.duckdb"),
    join(data, "extracts", "crm", "extract.duckdb"),
  );
}

test("readers of a session and of the file get complete generations during repeated rebuilds", async () => {
  await using place = await temporaryData();
  const { data } = place;
  await publish(data, 1);
  await rebuildAnalytics(services, { dataDirectory: data, owners: null });
  await using session = openQuerySession(services, { dataDirectory: data });
  let writing = true;
  const seen = new Set<number>();
  const mixtures: unknown[] = [];
  const reader = async () => {
    for (let last = 0; writing;) {
      const result = await session.runQuery({
        sql: "SELECT min(l.n) AS low, max(r.n) AS high, count(*) AS c FROM (SELECT n FROM left_t) l POSITIONAL JOIN right_t r",
      });
      for await (const batch of result.batches) {
        const { low, high, c } = batch.get(0)!.toJSON() as { low: number; high: number; c: bigint };
        if (low !== high || c !== 2000n || low < last) mixtures.push({ low, high, c, last });
        last = low;
        seen.add(low);
      }
    }
  };
  const anyClient = async () => {
    while (writing) {
      const [row] = await readAlone<{ low: number; high: number }>(
        data,
        "SELECT (SELECT min(n) FROM left_t) AS low, (SELECT max(n) FROM right_t) AS high",
      );
      if (row!.low !== row!.high) mixtures.push(row);
    }
  };
  const readers = [reader(), reader(), anyClient()];
  for (let n = 2; n <= 8; n += 1) {
    await publish(data, n);
    const report = await rebuildAnalytics(services, { dataDirectory: data, owners: null });
    expect(report.errors).toEqual([]);
  }
  writing = false;
  await Promise.all(readers);
  expect(mixtures).toEqual([]);
  expect(seen.size).toBeGreaterThan(3);
});

test("a reader that holds the file open keeps its generation, and a new one gets the next", async () => {
  await using place = await temporaryData();
  const { data } = place;
  await publish(data, 1);
  await rebuildAnalytics(services, { dataDirectory: data, owners: null });
  await using database = await openDatabase({ path: analyticsPath(data), readOnly: true });
  await using connection = await database.connect();
  await publish(data, 2);
  await rebuildAnalytics(services, { dataDirectory: data, owners: null });
  expect(await connection.rows<object>("SELECT max(n) AS n FROM left_t")).toEqual([{ n: 1 }]);
  expect(await readAlone<object>(data, "SELECT max(n) AS n FROM left_t")).toEqual([{ n: 2 }]);
});
