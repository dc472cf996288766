import { describe, expect, test } from "bun:test";
import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { AgnesError } from "../../lib/base/mod.ts";
import { createHost, silentLog } from "../../lib/base/mod.ts";
import { analyticsPath, readRebuildReport } from "../../lib/analytics/mod.ts";
import { rebuildAnalytics } from "../../lib/analytics/rebuild.ts";
import type { RebuildRequest } from "../../lib/analytics/request.ts";
import { acquireLock, openDatabase } from "../../lib/duckdb/mod.ts";
import { readAlone, temporaryData, writeExtract } from "./extract-files.ts";

const services = () => ({
  host: createHost(),
  log: silentLog,
  limits: { memoryMb: 512, threads: 2 },
});

async function rebuild(data: string, request: Partial<RebuildRequest> = {}) {
  return rebuildAnalytics(services(), { dataDirectory: data, owners: null, ...request });
}

describe("rebuildAnalytics()", () => {
  test("publishes every table under its view name and its qualified name, for any DuckDB client", async () => {
    await using place = await temporaryData();
    await writeExtract(place.data, "crm", {
      integers: true,
      tables: [{ name: "orders", rows: "SELECT 1 AS id" }],
    });
    await writeExtract(place.data, "erp", { tables: [{ name: "Stock", rows: "SELECT 2 AS id" }] });
    const report = await rebuild(place.data, {
      owners: [{ source: "erp", name: "Stock", viewName: "goods" }],
    });
    expect(report).toMatchObject({
      generation: 1,
      published: [
        { id: "crm.orders", viewName: "orders", accessMode: "file" },
        { id: "erp.Stock", viewName: "goods", accessMode: "file" },
      ],
      skipped: [],
      conflicts: [],
      errors: [],
    });
    expect(
      await readAlone<{ id: number }>(
        place.data,
        "SELECT a.id + b.id + c.id AS id FROM orders a, goods b, erp.stock c",
      ),
    ).toEqual([{ id: 5 }]);
    expect(await readRebuildReport(createHost(), place.data)).toEqual(report);
  });

  test("creates a valid empty file if there are no extracts", async () => {
    await using place = await temporaryData();
    expect(await readRebuildReport(createHost(), place.data)).toBeNull();
    expect(await rebuild(place.data)).toMatchObject({ generation: 1, published: [], errors: [] });
    await mkdir(join(place.data, "extracts", "empty"), { recursive: true });
    await writeFile(join(place.data, "extracts", "a-file"), "");
    expect(await rebuild(place.data)).toMatchObject({
      generation: 1,
      published: [],
      errors: [],
      skipped: [],
    });
  });

  test("lists tables by name, independent of the order in the extract", async () => {
    await using place = await temporaryData();
    const tables = ["b", "c", "a"].map((name) => ({ name, rows: "SELECT 1 AS n" }));
    await writeExtract(place.data, "crm", { tables });
    const { published } = await rebuild(place.data);
    expect(published.map(({ id }) => id)).toEqual(["crm.a", "crm.b", "crm.c"]);
    expect((await rebuild(place.data)).published).toEqual(published);
  });

  test("skips violations of the contract with a reason, and publishes the rest", async () => {
    await using place = await temporaryData();
    await writeFile(join(place.data, "outside.csv"), "a\n1\n");
    await writeExtract(place.data, "odd", {
      tables: [
        { name: "fine", rows: "SELECT 1 AS id" },
        { name: "bad-name", rows: "SELECT 1 AS id" },
        { name: "strange", rows: "SELECT 1 AS id", mode: "sideways" },
        { name: "absent" },
        { name: "twice", rows: "SELECT 1 AS id" },
        { name: "twice" },
        { name: "passwords", object: "VIEW passwords AS SELECT * FROM read_text('/etc/hostname')" },
        {
          name: "outside",
          object: "VIEW outside AS SELECT * FROM read_csv('{data}/../../../outside.csv')",
        },
        { name: "settings", object: "VIEW settings AS SELECT current_setting('threads') AS t" },
        { name: "nested", object: "VIEW nested AS SELECT * FROM settings" },
      ],
    });
    await mkdir(join(place.data, "extracts", "not-a-source"), { recursive: true });
    await writeExtract(place.data, "main", { tables: [{ name: "t", rows: "SELECT 1 AS id" }] });
    await writeExtract(place.data, "kebab-case", { tables: [{ name: "t", rows: "SELECT 1 AS id" }] });
    const report = await rebuild(place.data);
    expect(report.published.map(({ id }) => id)).toEqual(["odd.fine", "odd.twice"]);
    expect(
      Object.fromEntries(
        report.skipped.map(({ name, reason }) => [
          name,
          reason
            .replaceAll(place.data, "DATA")
            .replaceAll('"DATA', "DATA")
            .replaceAll('csv"', "csv")
            .split(" ")
            .slice(0, 4)
            .join(" "),
        ]),
      ),
    ).toEqual({
      "kebab-case": "the folder's name is",
      main: "the source's name has",
      "odd.bad-name": '"bad-name" is not a',
      "odd.strange": 'unknown query_mode "sideways"',
      "odd.absent": "the extract has no",
      "odd.twice": "_meta lists it more",
      "odd.passwords": 'its view calls "read_text",',
      "odd.outside": "its view reads DATA/extracts/odd/data/../../../outside.csv,",
      "odd.settings": 'its view calls "current_setting",',
      "odd.nested": 'it reads "settings", and',
    });
    expect(report.errors).toEqual([]);
  });

  test("publishes extracts of other programs with globs, files in FROM, views of views and their own tables", async () => {
    await using place = await temporaryData();
    await writeExtract(place.data, "jira", {
      tables: [
        { name: "part_a", rows: "SELECT 1 AS id, 'a' AS k" },
        {
          name: "all_parts",
          object:
            "VIEW all_parts AS SELECT * FROM read_parquet('{data}/*.parquet', union_by_name = true, filename = true)",
        },
        { name: "direct", object: "VIEW direct AS SELECT upper(k) AS k FROM '{data}/part_a.parquet'" },
        {
          name: "renamed",
          object: 'VIEW renamed(x, "y "" z") AS SELECT id, k FROM read_parquet(\'{data}/part_a.parquet\')',
        },
        { name: "of_view", object: "VIEW of_view AS SELECT k FROM part_a WHERE id = 1" },
        { name: "inside", object: "TABLE inside AS SELECT 42 AS answer" },
      ],
    });
    const report = await rebuild(place.data);
    expect(report.skipped).toEqual([]);
    expect(report.published.map(({ id, accessMode }) => `${id} ${accessMode}`)).toEqual([
      "jira.all_parts file",
      "jira.direct file",
      "jira.inside attached",
      "jira.of_view file",
      "jira.part_a file",
      "jira.renamed file",
    ]);
    expect(await readAlone<object>(place.data, "SELECT id FROM all_parts")).toEqual([{ id: 1 }]);
    expect(await readAlone<object>(place.data, "FROM direct")).toEqual([{ k: "A" }]);
    expect(await readAlone<object>(place.data, "FROM renamed")).toEqual([{ x: 1, 'y " z': "a" }]);
  });

  test("reads an extract whose folder was moved", async () => {
    await using place = await temporaryData();
    await using other = await temporaryData();
    const directory = await writeExtract(place.data, "crm", {
      tables: [{ name: "orders", rows: "SELECT 7 AS id" }],
    });
    {
      await using database = await openDatabase({ path: join(directory, "extract.duckdb") });
      await using connection = await database.connect();
      await connection.run(
        `CREATE TABLE _generation AS SELECT 4::BIGINT AS number, '${directory}' AS directory;
         CREATE TABLE _cursor (table_name VARCHAR, source_columns VARCHAR, remote VARCHAR)`,
      );
    }
    await mkdir(join(other.data, "extracts"));
    await rename(directory, join(other.data, "extracts", "crm"));
    expect((await rebuild(other.data)).skipped).toEqual([]);
    expect(await readAlone<object>(other.data, "FROM orders")).toEqual([{ id: 7 }]);
  });

  test("assigns contested names by the registry and reports the losers, which keep their qualified names", async () => {
    await using place = await temporaryData();
    for (const source of ["a", "b", "c"]) {
      await writeExtract(place.data, source, {
        tables: [{ name: "orders", rows: `SELECT '${source}' AS s` }],
      });
    }
    const report = await rebuild(place.data, {
      owners: [{ source: "b", name: "orders", viewName: "Orders" }],
    });
    expect(report.conflicts.map(({ loser, owner }) => `${loser} < ${owner}`)).toEqual([
      "a.orders < b.orders",
      "c.orders < b.orders",
    ]);
    expect(
      await readAlone<object>(place.data, "SELECT o.s AS o, a.s AS a FROM orders o, a.orders a"),
    ).toEqual([{ o: "b", a: "a" }]);
    const next = await rebuild(place.data, {
      owners: [
        { source: "c", name: "orders", viewName: "orders" },
        { source: "b", name: "orders", viewName: "b_orders" },
      ],
    });
    expect(next.conflicts.map(({ loser }) => loser)).toEqual(["a.orders"]);
    expect(
      await readAlone<object>(place.data, "SELECT o.s AS o, b.s AS b FROM orders o, b_orders b"),
    ).toEqual([{ o: "c", b: "b" }]);
  });

  test("keeps and reserves the names and views of an unreadable extract", async () => {
    await using place = await temporaryData();
    await writeExtract(place.data, "zoo", { tables: [{ name: "orders", rows: "SELECT 'zoo' AS s" }] });
    await rebuild(place.data);
    const path = join(place.data, "extracts", "zoo", "extract.duckdb");
    const good = await readFile(path);
    for (const bad of [good.subarray(0, good.length / 2), Buffer.from("nonsense"), Buffer.alloc(0)]) {
      await writeFile(path, bad);
      const owners = [{ source: "zoo", name: "orders", viewName: "orders" }];
      await writeExtract(place.data, "ape", { tables: [{ name: "orders", rows: "SELECT 'ape' AS s" }] });
      const report = await rebuild(place.data, { owners });
      expect(report.errors.map(({ name }) => name)).toContain("zoo");
      expect(await readAlone<object>(place.data, "FROM orders")).toEqual([{ s: "zoo" }]);
      expect(await readAlone<object>(place.data, "FROM ape.orders")).toEqual([{ s: "ape" }]);
    }
    // Its parts are removed as well: nothing is published, and the name stays reserved.
    await rm(join(place.data, "extracts", "zoo", "data"), { recursive: true });
    const report = await rebuild(place.data, {
      owners: [{ source: "zoo", name: "orders", viewName: "orders" }],
    });
    expect(report.published.map(({ id, viewName }) => `${id} ${viewName}`)).toEqual(["ape.orders null"]);
    await writeFile(path, good);
    await mkdir(join(place.data, "extracts", "zoo", "data"));
    await writeExtract(place.data, "zoo", { tables: [{ name: "orders", rows: "SELECT 'back' AS s" }] });
    expect(
      (await rebuild(place.data, { owners: [{ source: "zoo", name: "orders", viewName: "orders" }] })).errors,
    ).toEqual([]);
    expect(await readAlone<object>(place.data, "FROM orders")).toEqual([{ s: "back" }]);
  });

  test("keeps the earlier state of a table whose new state is unreadable, and reports it", async () => {
    await using place = await temporaryData();
    await writeExtract(place.data, "crm", {
      tables: [
        { name: "orders", rows: "SELECT 1 AS id" },
        { name: "fine", rows: "SELECT 1 AS id" },
      ],
    });
    await rebuild(place.data);
    const directory = await writeExtract(place.data, "crm", {
      tables: [
        { name: "orders_2", rows: "SELECT 2 AS id" },
        { name: "orders", object: "VIEW orders AS SELECT * FROM read_parquet(['{data}/orders_2.parquet'])" },
        { name: "fine", rows: "SELECT 2 AS id" },
      ],
    });
    await writeFile(join(directory, "data", "orders_2.parquet"), "torn");
    const report = await rebuild(place.data);
    expect(report.errors.map(({ name, code }) => `${name} ${code}`)).toEqual([
      "crm.orders_2 file_unreadable",
      "crm.orders file_unreadable",
    ]);
    expect(await readAlone<object>(place.data, "SELECT o.id AS o, f.id AS f FROM orders o, fine f")).toEqual([
      { o: 1, f: 2 },
    ]);
  });

  test("drops removed tables and sources only", async () => {
    await using place = await temporaryData();
    const crm = await writeExtract(place.data, "crm", { tables: [{ name: "x", rows: "SELECT 1 AS id" }] });
    await writeExtract(place.data, "erp", {
      tables: [
        { name: "y", rows: "SELECT 1 AS id" },
        { name: "z", rows: "SELECT 1 AS id" },
      ],
    });
    await rebuild(place.data);
    await rm(crm, { recursive: true });
    await writeExtract(place.data, "erp", { tables: [{ name: "z", rows: "SELECT 1 AS id" }] });
    expect((await rebuild(place.data)).published.map(({ id }) => id)).toEqual(["erp.z"]);
    const views = await readAlone<{ v: string }>(
      place.data,
      "SELECT schema_name || '.' || view_name AS v FROM duckdb_views() WHERE NOT internal ORDER BY 1",
    );
    expect(views.map(({ v }) => v)).toEqual(["erp.z", "main.z"]);
  });

  test("does nothing when nothing changed", async () => {
    await using place = await temporaryData();
    await writeExtract(place.data, "crm", { tables: [{ name: "x", rows: "SELECT 1 AS id" }] });
    await rebuild(place.data);
    await Bun.sleep(60);
    await rebuild(place.data);
    const before = await stat(analyticsPath(place.data));
    const again = await rebuild(place.data);
    expect((await stat(analyticsPath(place.data))).ino).toBe(before.ino);
    expect(again.published.length).toBe(1);
  });

  test("rebuilds an analytics.duckdb that is damaged or has another version", async () => {
    await using place = await temporaryData();
    await writeExtract(place.data, "crm", { tables: [{ name: "x", rows: "SELECT 1 AS id" }] });
    await rebuild(place.data);
    const path = analyticsPath(place.data);
    const good = await readFile(path);
    for (const bad of [good.subarray(0, 6000), Buffer.from("nonsense"), Buffer.alloc(0)]) {
      await writeFile(path, bad);
      await writeFile(`${path}.wal`, "stale");
      const report = await rebuild(place.data);
      expect(report.published.length).toBe(1);
      expect(await readAlone<object>(place.data, "FROM x")).toEqual([{ id: 1 }]);
    }
    await rm(path);
    await (async () => {
      await using database = await openDatabase({ path });
      await using connection = await database.connect();
      await connection.run("CREATE TABLE other AS SELECT 1 AS id");
    })();
    expect((await rebuild(place.data)).published.length).toBe(1);
    await writeFile(join(place.data, "analytics", "rebuild-report.json"), "{");
    expect((await rebuild(place.data)).published.length).toBe(1);
  });

  test("waits for another rebuild, and stops waiting when aborted", async () => {
    await using place = await temporaryData();
    await writeExtract(place.data, "crm", { tables: [{ name: "x", rows: "SELECT 1 AS id" }] });
    await mkdir(join(place.data, "analytics"));
    const lock = await acquireLock(createHost().files, join(place.data, "analytics", ".lock"), "a test");
    const controller = new AbortController();
    const failure = rebuild(place.data, { signal: controller.signal }).catch(
      (error: unknown) => (error as AgnesError).code,
    );
    const waiting = rebuild(place.data);
    await Bun.sleep(50);
    controller.abort();
    expect(await failure).toBe("aborted");
    await lock[Symbol.asyncDispose]();
    expect((await waiting).published.length).toBe(1);
  });

  test("creates the same valid file if it runs twice concurrently", async () => {
    await using place = await temporaryData();
    await writeExtract(place.data, "crm", { tables: [{ name: "x", rows: "SELECT 1 AS id" }] });
    const reports = await Promise.all([rebuild(place.data), rebuild(place.data), rebuild(place.data)]);
    expect(reports.map(({ published }) => published.length)).toEqual([1, 1, 1]);
    expect(await readAlone<object>(place.data, "FROM x")).toEqual([{ id: 1 }]);
  });
});
