import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inspect } from "node:util";

import * as arrow from "apache-arrow";

import { AgnesError, createHost, type Host } from "../../lib/base/mod.ts";
import { readRebuildReport } from "../../lib/analytics/mod.ts";
import { rebuildAnalytics } from "../../lib/analytics/rebuild.ts";
import { openDatabase } from "../../lib/duckdb/mod.ts";
import type { ExtensionSpec } from "../../lib/kit/mod.ts";
import { openQuerySession } from "../../lib/query/mod.ts";
import type { LiveResolver, LiveTable } from "../../lib/sources/mod.ts";
import { queryFailure } from "../../lib/query/failure.ts";
import { temporaryData, writeExtract, type HandExtract } from "../analytics/extract-files.ts";
import { rowsOf, testServices } from "./published.ts";

/** A data folder with a DuckDB file outside it, and an extract of source `shop` whose tables are in that file. */
async function withRemote(extension = "duckdb") {
  const folder = await temporaryData();
  const { data } = folder;
  const url = join(data, "outside.duckdb");
  {
    await using database = await openDatabase({ path: url });
    await using connection = await database.connect();
    await connection.run("CREATE SCHEMA s; CREATE TABLE s.visits AS SELECT range AS id FROM range(5)");
  }
  const extract: HandExtract = {
    remote: { alias: "shop", extension, url, tokenEnv: "" },
    before: `ATTACH '${url}' AS shop (READ_ONLY)`,
    tables: [
      { name: "visits", object: 'VIEW visits AS SELECT * FROM shop."s"."visits"', mode: "remote" },
      { name: "local", rows: "SELECT 1 AS id" },
    ],
  };
  await writeExtract(data, "shop", extract);
  return {
    data,
    url,
    declared: { alias: "shop", extension, url, tokenEnv: "" },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** A live table as returned by the resolver. */
function liveSource(opened: string[][] = []): LiveTable {
  const schema = new arrow.Schema([
    new arrow.Field("id", new arrow.Int64()),
    new arrow.Field("name", new arrow.Utf8()),
  ]);
  return {
    schema,
    narrow: (request) => request,
    async *open({ columns }) {
      opened.push([...columns]);
      const data: Record<string, arrow.Vector> = {
        id: arrow.vectorFromArray([1n, 2n, 3n], new arrow.Int64()),
        name: arrow.vectorFromArray(["a", "b", "c"], new arrow.Utf8()),
      };
      const selected = columns.length === 0 ? ["id"] : columns;
      const table = new arrow.Table(Object.fromEntries(selected.map((name) => [name, data[name]!])));
      yield* table.batches;
    },
  };
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "",
    (error: unknown) => (error as AgnesError).code,
  );
}

describe("a remote table", () => {
  test("is attached if the plugin of its source declares the DuckDB file, under its view name and its qualified name", async () => {
    await using place = await withRemote();
    await rebuildAnalytics(testServices(), {
      dataDirectory: place.data,
      owners: null,
      declaredRemote: async () => place.declared,
    });
    expect((await readRebuildReport(createHost(), place.data))!.remotes).toEqual([
      { id: "shop.visits", accessMode: "attach", reason: null },
    ]);
    await using session = openQuerySession(testServices(), { dataDirectory: place.data });
    expect(
      await rowsOf(session, "SELECT sum(v.id)::INT AS a FROM visits v JOIN local l ON l.id = v.id"),
    ).toEqual([{ a: 1 }]);
    const result = await session.runQuery({ sql: "SELECT count(*) AS n FROM shop.visits" });
    for await (const batch of result.batches) expect(batch.get(0)!["n"]).toBe(5n);
    expect(result.receipt().remotes).toEqual([{ id: "shop.visits", accessMode: "attach" }]);
    expect((await session.describeTable("visits")).schema.map(({ name }) => name)).toEqual(["id"]);
  });

  test("is attached by a session that already serves other queries", async () => {
    await using place = await withRemote();
    await rebuildAnalytics(testServices(), {
      dataDirectory: place.data,
      owners: null,
      declaredRemote: async () => place.declared,
    });
    await using session = openQuerySession(testServices(), { dataDirectory: place.data });
    const running = await session.runQuery({ sql: "SELECT * FROM range(100000), local" });
    expect(await rowsOf(session, "SELECT count(*) AS n FROM visits")).toEqual([{ n: 5n }]);
    let rows = 0;
    for await (const batch of running.batches) rows += batch.numRows;
    expect(rows).toBe(100_000);
  });

  test("is read through the connector if only the extract declares the database", async () => {
    await using place = await withRemote();
    await rebuildAnalytics(testServices(), { dataDirectory: place.data, owners: null });
    const [report] = (await readRebuildReport(createHost(), place.data))!.remotes;
    expect(report).toMatchObject({ id: "shop.visits", accessMode: "live" });
    expect(report!.reason).toContain("plugin of the source declares it");
    const resolved: unknown[] = [];
    const opened: string[][] = [];
    const live: LiveResolver = async ({ source, name }) => {
      resolved.push(`${source}.${name}`);
      return liveSource(opened);
    };
    await using session = openQuerySession(testServices(), { dataDirectory: place.data, live });
    expect(await rowsOf(session, "SELECT name FROM visits WHERE name > 'a'")).toEqual([
      { name: "b" },
      { name: "c" },
    ]);
    expect(await rowsOf(session, "SELECT count(*) AS n FROM shop.visits a, visits b")).toEqual([{ n: 9n }]);
    expect(resolved).toEqual(["shop.visits"]);
    expect(opened[0]).toEqual(["name"]);
    const closed = await session.runQuery({ sql: "FROM visits" });
    await closed.close();
    const pushedDown = { columns: ["id", "name"], conditions: [], keys: [], limit: null, rows: 3 };
    expect(closed.receipt().remotes).toEqual([{ id: "shop.visits", accessMode: "live", pushedDown }]);
  });

  test("is attached as soon as possible, even if its extract did not change", async () => {
    await using place = await withRemote();
    const request = { dataDirectory: place.data, owners: null };
    await rebuildAnalytics(testServices(), { ...request, declaredRemote: async () => null });
    await Bun.sleep(60);
    expect(
      (await rebuildAnalytics(testServices(), { ...request, declaredRemote: async () => null })).remotes[0]!
        .accessMode,
    ).toBe("live");
    const report = await rebuildAnalytics(testServices(), {
      ...request,
      declaredRemote: async () => place.declared,
    });
    expect(report.remotes[0]!.accessMode).toBe("attach");
  });

  test("reports the reason if it cannot be read, and other tables can be queried", async () => {
    await using place = await withRemote();
    await rebuildAnalytics(testServices(), { dataDirectory: place.data, owners: null });
    await using session = openQuerySession(testServices(), { dataDirectory: place.data });
    expect(await codeOf(session.runQuery({ sql: "FROM visits" }))).toBe("remote_unavailable");
    expect(await rowsOf(session, "SELECT * FROM local")).toEqual([{ id: 1 }]);
    expect((await rowsOf(session, "SHOW TABLES")).length).toBeGreaterThan(1);
    expect(await rowsOf(session, "SELECT name FROM (SHOW ALL TABLES) WHERE name = 'local'")).toHaveLength(1);
  });

  test("returns the error of the source if the connector fails in the middle", async () => {
    await using place = await withRemote();
    await rebuildAnalytics(testServices(), { dataDirectory: place.data, owners: null });
    const broken: LiveTable = {
      ...liveSource(),
      // oxlint-disable-next-line require-yield
      async *open() {
        throw new AgnesError("timed_out", { what: "the shop", timeoutMs: 5 });
      },
    };
    await using session = openQuerySession(testServices(), {
      dataDirectory: place.data,
      live: async () => broken,
    });
    expect(await codeOf(rowsOf(session, "FROM visits"))).toBe("timed_out");
  });

  test("stops the connector at the deadline", async () => {
    await using place = await withRemote();
    await rebuildAnalytics(testServices(), { dataDirectory: place.data, owners: null });
    const stopped = Promise.withResolvers<void>();
    const endless: LiveTable = {
      ...liveSource(),
      // oxlint-disable-next-line require-yield
      async *open(_request, signal) {
        await new Promise<void>((resolve) =>
          signal.addEventListener("abort", () => resolve(), { once: true }),
        );
        stopped.resolve();
      },
    };
    await using session = openQuerySession(testServices(), {
      dataDirectory: place.data,
      live: async () => endless,
    });
    expect(await codeOf(rowsOf(session, "FROM visits", { limits: { timeoutMs: 1000 } }))).toBe("timed_out");
    await stopped.promise;
  });

  test("is not ambiguous if its source has the name of its alias", async () => {
    await using place = await withRemote();
    const report = await rebuildAnalytics(testServices(), {
      dataDirectory: place.data,
      owners: [{ source: "shop", name: "visits", viewName: "shop" }],
      declaredRemote: async () => place.declared,
    });
    expect(report.errors).toEqual([]);
    await using session = openQuerySession(testServices(), { dataDirectory: place.data });
    expect(await rowsOf(session, "SELECT count(*) AS n FROM shop")).toEqual([{ n: 5n }]);
    expect(await rowsOf(session, "SELECT count(*) AS n FROM shop.visits")).toEqual([{ n: 5n }]);
  });

  test("cannot be read if the lists change after the rebuild", async () => {
    await using place = await withRemote();
    const host = (list: string): Host => createHost({ env: { AGNES_REMOTE_ATTACH_EXTENSIONS: list } });
    await rebuildAnalytics(
      { ...testServices(), host: host("duckdb") },
      { dataDirectory: place.data, owners: null },
    );
    await using allowed = openQuerySession(
      { ...testServices(), host: host("duckdb") },
      { dataDirectory: place.data },
    );
    expect(await rowsOf(allowed, "SELECT count(*) AS n FROM visits")).toEqual([{ n: 5n }]);
    await using refused = openQuerySession(
      { ...testServices(), host: host("keboola") },
      { dataDirectory: place.data },
    );
    expect(await codeOf(refused.runQuery({ sql: "FROM visits" }))).toBe("remote_unavailable");
  });

  test("is attached by a query if the reason of the refusal no longer applies and there is no connector", async () => {
    await using place = await withRemote();
    const host = (list: string): Host => createHost({ env: { AGNES_REMOTE_ATTACH_EXTENSIONS: list } });
    const refused = { ...testServices(), host: host("keboola") };
    const report = await rebuildAnalytics(refused, { dataDirectory: place.data, owners: null });
    expect(report.remotes[0]!.accessMode).toBe("live");
    const allowed = { ...testServices(), host: host("duckdb") };
    await using session = openQuerySession(allowed, { dataDirectory: place.data });
    expect(await rowsOf(session, "SELECT count(*) AS n FROM visits")).toEqual([{ n: 5n }]);
    const live: LiveResolver = async () => liveSource();
    await using second = openQuerySession(allowed, { dataDirectory: place.data, live });
    expect(await rowsOf(second, "SELECT count(*) AS n FROM visits")).toEqual([{ n: 3n }]);
  });

  test("is read through its connector if the attached database lacks it", async () => {
    await using place = await withRemote();
    const request = { dataDirectory: place.data, owners: null, declaredRemote: async () => place.declared };
    await rebuildAnalytics(testServices(), request);
    {
      await using database = await openDatabase({ path: place.url });
      await using connection = await database.connect();
      await connection.run("DROP TABLE s.visits");
    }
    const live: LiveResolver = async () => liveSource();
    await using session = openQuerySession(testServices(), { dataDirectory: place.data, live });
    expect(await rowsOf(session, "SELECT count(*) AS n FROM visits")).toEqual([{ n: 3n }]);
    await using alone = openQuerySession(testServices(), { dataDirectory: place.data });
    const failed = (access: ReadonlySet<string> | null) =>
      alone.runQuery({ sql: "FROM visits", access }).catch((error: unknown) => error as AgnesError);
    const [whole, hidden] = [await failed(null), await failed(new Set(["shop.visits"]))];
    for (const error of [whole, hidden]) expect(error).toMatchObject({ code: "remote_unavailable" });
    // DuckDB suggests the names of any tables.
    expect((whole as AgnesError).message).toContain('Did you mean "shop.visits or visits"?');
    expect(JSON.stringify(whole)).not.toContain("agnes:");
    expect(JSON.stringify(hidden)).not.toMatch(/Did you mean|agnes:/);
  });

  test("is attached with the current options if the configuration of its source changed", async () => {
    await using place = await withRemote();
    const rebuildWith = async (settings: string, options: Record<string, number>) => {
      const report = await rebuildAnalytics(testServices(), {
        dataDirectory: place.data,
        owners: null,
        declaredRemote: async () => ({ ...place.declared, options }),
        configured: () => ({ plugin: "shop", settings }),
      });
      return report.remotes[0];
    };
    expect((await rebuildWith("a", {}))!.accessMode).toBe("attach");
    const changed = (await rebuildWith("b", { NO_SUCH_OPTION: 1 }))!;
    expect(changed.accessMode).toBe("live");
    expect(changed.reason).toContain("no_such_option");
  });
});

test("a source is attached as declared by its own plugin, not by another plugin of the same extension", async () => {
  await using place = await withRemote("no_such_extension");
  const named = (plugin: string) => ({ name: "no_such_extension", plugin, spec: {}, variables: [] });
  const rebuild = async (plugin: string) => {
    const report = await rebuildAnalytics(testServices(), {
      dataDirectory: place.data,
      owners: null,
      declaredRemote: async () => place.declared,
      extensions: [named("a"), { ...named("b"), spec: { repository: "community" } }],
      configured: () => ({ plugin, settings: plugin }),
    });
    return report.remotes[0]!.reason;
  };
  expect(await rebuild("a")).toContain("installs it from core");
  expect(await rebuild("b")).toContain("installs it from community");
});

describe("views of an extract of another program", () => {
  test("may call only the table functions that a plugin declares for the extension", async () => {
    await using folder = await temporaryData();
    const file = join(folder.data, "outside.txt");
    await writeFile(file, "x");
    await writeExtract(folder.data, "shop", {
      remote: { alias: "kbc", extension: "keboola", url: "https://kbc.example", tokenEnv: "" },
      tables: [{ name: "v", object: `VIEW v AS SELECT * FROM read_text('${file}')`, mode: "remote" }],
    });
    const published = async (spec: ExtensionSpec) => {
      const extensions = [{ name: "keboola", plugin: "keboola", spec, variables: [] }];
      const request = { dataDirectory: folder.data, owners: null, extensions };
      return (await rebuildAnalytics(testServices(), request)).published.map(({ id }) => id);
    };
    expect(await published({})).toEqual([]);
    expect(await published({ functions: ["READ_TEXT"] })).toEqual(["shop.v"]);
  });
});

test("queryFailure() removes secrets of an attached database, also from its cause", () => {
  const error = new AgnesError("duckdb_failed", {
    operation: "SELECT 1",
    kind: "IO Error",
    reason: "Unable to connect with password=s3cret",
  });
  const scope = { dataDirectory: "/data", home: null, access: null, secrets: ["s3cret"] };
  const failure = queryFailure(error, scope) as AgnesError;
  expect(failure).toMatchObject({ code: "sql_failed", message: expect.stringContaining("[redacted]") });
  expect(inspect(failure, { depth: 9 })).not.toContain("s3cret");
});
