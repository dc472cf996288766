import { expect, test } from "bun:test";

import { analyticsPath } from "../../lib/analytics/mod.ts";
import { rebuildAnalytics } from "../../lib/analytics/rebuild.ts";
import { createHost, silentLog } from "../../lib/base/mod.ts";
import { openDatabase } from "../../lib/duckdb/mod.ts";
import { openQuerySession } from "../../lib/query/mod.ts";
import { temporaryData, writeExtract } from "./extract-files.ts";

test("an analytics.duckdb whose tables have `way` for the access mode is queried, and rebuilt unchanged", async () => {
  await using place = await temporaryData();
  // A file that was written a moment ago is scanned again.
  const host = createHost({ now: () => new Date(Date.now() + 10_000) });
  const services = { host, log: silentLog, limits: { memoryMb: 512, threads: 2 } };
  const rebuild = () => rebuildAnalytics(services, { dataDirectory: place.data, owners: null });
  await writeExtract(place.data, "crm", { tables: [{ name: "orders", rows: "SELECT 1 AS id" }] });
  await rebuild();
  {
    await using database = await openDatabase({ path: analyticsPath(place.data) });
    await using connection = await database.connect();
    await connection.run(`UPDATE _agnes.tables SET body = replace(body, '"accessMode"', '"way"')`);
    expect(
      await connection.rows('SELECT contains(body, \'"way":"file"\') AS old FROM _agnes.tables'),
    ).toEqual([{ old: true }]);
  }
  await using session = openQuerySession({ ...services, extensions: [] } as never, {
    dataDirectory: place.data,
  });
  const result = await session.runQuery({ sql: "SELECT id FROM orders" });
  const ids: unknown[] = [];
  for await (const batch of result.batches) ids.push(...batch.toArray().map((row) => row?.toJSON()["id"]));
  expect(ids).toEqual([1]);
  expect((await session.catalog()).map(({ accessMode }) => accessMode)).toEqual(["file"]);
  expect(await rebuild()).toMatchObject({ generation: 1, errors: [] });
});
