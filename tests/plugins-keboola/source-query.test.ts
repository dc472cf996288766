import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { createAgnes, isAgnesError, type Agnes } from "agnes";
import type { ReadOptions } from "agnes/kit";
import * as v from "valibot";

import { createHost } from "../../lib/base/mod.ts";
import plugin from "../../plugins/keboola/plugin.ts";
import { keboolaQuery } from "../../plugins/keboola/read/source-query.ts";
import { fakeKeboola, type FakeKeboola, type KeboolaScript } from "../fakes/keboola/mod.ts";
import { described } from "./project.ts";
import { exportsOf, openProject, optionsOf } from "./support.ts";

const DAY_MS = 24 * 60 * 60_000;
let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "agnes-keboola-query-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe("keboolaQuery", () => {
  const problemOf = (query: object) => v.safeParse(keboolaQuery, query).issues?.[0].message;
  const seconds = (text: string) => Date.parse(text) / 1000;

  test.each([
    [1_764_547_200, 1_764_547_200],
    ["1764547200", 1_764_547_200],
    [0, 0],
    ["2025-12-01", seconds("2025-12-01T00:00:00Z")],
    ["2025-12-01T10:30", seconds("2025-12-01T10:30:00Z")],
    ["2025-12-01 10:30:15", seconds("2025-12-01T10:30:15Z")],
    ["2025-12-01T10:30:15.000Z", seconds("2025-12-01T10:30:15Z")],
    ["2025-12-01T10:30:15+0100", seconds("2025-12-01T09:30:15Z")],
    ["2025-12-01T10:30:15-05:30", seconds("2025-12-01T16:00:15Z")],
    ["2025-12-01T10:30:15+02", seconds("2025-12-01T08:30:15Z")],
  ])("reads the time %p as %d", (text, expected) => {
    expect(v.parse(keboolaQuery, { changed_since: text })).toEqual({ changed_since: expected });
    if (expected > 0)
      expect(v.parse(keboolaQuery, { changed_until: String(text) })).toEqual({ changed_until: expected });
  });

  test.each([
    ["-2 days", "should be Unix seconds, or an ISO 8601 date or time"],
    ["", "should be Unix seconds, or an ISO 8601 date or time"],
    [true, "should be Unix seconds, or an ISO 8601 date or time"],
    [-1, "should be Unix seconds, or an ISO 8601 date or time"],
    [1.5, "should be Unix seconds, or an ISO 8601 date or time"],
    [1_764_547_200_000, "should be Unix seconds, but is too large: is it in milliseconds?"],
    ["2025-02-30", "should be a date that exists"],
    ["2025-13-01", "should be a date that exists"],
    ["2025-12-01T25:00:00Z", "should be a date that exists"],
    ["2025-12-01T10:30:15.5Z", "should have no fraction of a second"],
    ["1969-12-31", "should not be before 1970"],
  ])("rejects the time %p: %s", (text, problem) => {
    expect(problemOf({ changed_since: text })).toStartWith(problem);
  });

  test("rejects times that select no row, and other formats", () => {
    const empty = "selects no row: changed_since is not before changed_until";
    expect(problemOf({ changed_since: "2025-12-02", changed_until: "2025-12-01" })).toBe(empty);
    expect(problemOf({ changed_since: "2025-12-01", changed_until: "2025-12-01" })).toBe(empty);
    expect(problemOf({ changed_until: 0 })).toBe(empty);
    expect(problemOf({ file_type: "xml" })).toBe('should be "csv" or "parquet"');
  });
});

/** A project with 40 people: 20 imported on 2026-05-01, 10 on 2026-05-11, and 10 on 2026-05-21. */
function people(script: KeboolaScript = {}, options: { timestampType?: "NONE" } = {}) {
  const clock = { now: () => new Date("2026-05-21T00:00:00Z") };
  const keboola = fakeKeboola({ sliceRows: 7, clock, ...script });
  const table = keboola.storage.createTable("in.c-crm.people", {
    columns: ["id", "name", "kind"],
    primaryKey: ["id"],
    columnMetadata: { id: described("INTEGER") },
    ...options,
  });
  for (const [from, to, day] of [
    [0, 20, "2026-05-01"],
    [20, 30, "2026-05-11"],
    [30, 40, "2026-05-21"],
  ] as const) {
    const rows = Array.from({ length: to - from }, (_, at) => {
      const id = from + at;
      return { id: String(id), name: `name ${id}`, kind: id % 2 === 0 ? "even" : "odd" };
    });
    table.load(rows, { mode: "incremental", at: new Date(`${day}T00:00:00Z`) });
  }
  return { keboola, table };
}

/** A workspace over a fake project, on 2026-06-01. */
async function openPeople(keboola: FakeKeboola, startsAt = new Date("2026-06-01T08:00:00Z")) {
  const env = { KEBOOLA_STORAGE_TOKEN: keboola.token };
  const host = keboola.host({ env, startsAt });
  const real = createHost();
  const directory = await mkdtemp(join(root, "workspace-"));
  const agnes = await createAgnes({
    workspace: directory,
    plugins: [plugin],
    config: { version: 1, sources: { kbc: { plugin: "keboola", options: optionsOf(keboola) } } },
    host: {
      env,
      fetch: host.fetch,
      now: () => host.now(),
      // Pauses between polls take no time, and timeouts their own.
      sleep: (durationMs, signal) => real.sleep(durationMs < 5000 ? 1 : durationMs, signal),
    },
  });
  return { agnes, host };
}

async function register(agnes: Agnes, query: object | string | null, settings: object = {}): Promise<void> {
  await (
    await agnes.tables()
  ).register({
    source: "kbc",
    sourceTable: "in.c-crm.people",
    queryMode: "materialized",
    sourceQuery: typeof query === "string" ? query : query && JSON.stringify(query),
    ...settings,
  });
}

async function sync(agnes: Agnes): Promise<void> {
  const report = await agnes.sync();
  for (const { error, stats } of report.sources) {
    if (error !== undefined) throw error;
    for (const failed of stats?.errors ?? []) throw failed.error;
  }
}

const idsOf = async (agnes: Agnes) =>
  (await agnes.rows<{ id: number }>("SELECT id FROM people ORDER BY id")).map(({ id }) => Number(id));
const between = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at);

async function failureOf(work: Promise<unknown>) {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isAgnesError(error)) throw new Error(`expected an AgnesError, got ${String(error)}`);
  return error;
}

describe("a read with a query", () => {
  test("has a state of its own, and no number of rows of the table", async () => {
    const { keboola } = people();
    await using project = await openProject(keboola);
    const info = (await project.tables()).get("in.c-crm.people")!;
    const read = async (options: Partial<ReadOptions>) => {
      const directory = await mkdtemp(join(root, "read-"));
      const { end } = await project.read(info, { directory, ...options });
      return end;
    };
    const selections: readonly Partial<ReadOptions>[] = [
      {},
      { limit: 5 },
      { sourceQuery: { changed_since: "2026-05-11" } },
      { sourceQuery: { changed_since: "2026-05-21" } },
      { sourceQuery: { changed_until: "2026-05-21" } },
    ];
    const ends = await Promise.all(selections.map(read));
    expect(ends.map(({ tableRows }) => tableRows)).toEqual([40, ...Array(4).fill(undefined)]);
    for (const [at, selection] of selections.entries()) {
      for (const [from, { state }] of ends.entries()) {
        const { unchanged } = await read({ ...selection, state: state! });
        expect([at, from, unchanged]).toEqual([at, from, at === from ? true : undefined]);
      }
    }
    // A query is never read as changes of an earlier one.
    const delta = await read({ ...selections[2]!, state: ends[3]!.state!, isDelta: true });
    expect(delta.isWhole).toBe(true);
  });
});

describe("a materialized table", () => {
  test("is the whole table without a query", async () => {
    const { keboola } = people();
    const { agnes } = await openPeople(keboola);
    await using _ = agnes;
    await register(agnes, null);
    await sync(agnes);
    expect(await idsOf(agnes)).toEqual(between(0, 40));
    expect(await agnes.catalog()).toMatchObject([{ name: "people", mode: "materialized" }]);
  });

  test("has the rows that changed in the times of its query, at any date", async () => {
    const { keboola } = people();
    const { agnes, host } = await openPeople(keboola);
    await using _ = agnes;
    await register(agnes, { changed_since: "{{ last_month }}", changed_until: 1_779_321_600 });
    await sync(agnes);
    // 30 days before 2026-06-01 are 2026-05-02; the last import was at 1,779,321,600.
    expect(await idsOf(agnes)).toEqual(between(20, 30));
    const seconds = (text: string) => String(Date.parse(text) / 1000);
    expect(exportsOf(keboola)).toMatchObject([
      { changedSince: seconds("2026-05-02T00:00:00Z"), changedUntil: "1779321600" },
    ]);
    // On the same day the table is unchanged.
    host.advance(60 * 60_000);
    await sync(agnes);
    expect(exportsOf(keboola)).toHaveLength(1);
    // On the next day the query selects other rows.
    host.advance(DAY_MS);
    await sync(agnes);
    expect(exportsOf(keboola)[1]).toMatchObject({ changedSince: seconds("2026-05-03T00:00:00Z") });
    host.advance(9 * DAY_MS);
    await sync(agnes);
    expect(await idsOf(agnes)).toEqual([]);
    // Later, it selects none at all: that is an error, and the published rows stay.
    host.advance(20 * DAY_MS);
    const report = await agnes.sync();
    expect(report.sources[0]!.stats!.errors[0]!.error.message).toContain(
      "source_query selects no row: changed_since is not before changed_until",
    );
  });

  test("is exported again if its query or its rows change, and not otherwise", async () => {
    const { keboola, table } = people();
    const { agnes, host } = await openPeople(keboola);
    await using _ = agnes;
    await register(agnes, { changed_since: "2026-05-11" });
    await sync(agnes);
    await sync(agnes);
    expect(exportsOf(keboola)).toHaveLength(1);
    const queries = [
      { changed_since: "2026-05-21" },
      { changed_since: "2026-05-21", file_type: "csv" },
      { changed_since: "2026-05-21", limit: 3 },
      { changed_since: "2026-05-21", columns: ["id", "kind"] },
      { changed_since: "2026-05-21", where_filters: [{ column: "kind", values: ["even"] }] },
    ];
    for (const [at, query] of queries.entries()) {
      await (await agnes.tables()).update("kbc.people", { sourceQuery: JSON.stringify(query) });
      await sync(agnes);
      await sync(agnes);
      expect(exportsOf(keboola)).toHaveLength(at + 2);
    }
    expect(await idsOf(agnes)).toEqual([30, 32, 34, 36, 38]);
    host.advance(DAY_MS);
    table.load([{ id: "40", name: "new", kind: "even" }], { mode: "incremental" });
    host.advance(60_000);
    await sync(agnes);
    expect(await idsOf(agnes)).toEqual([30, 32, 34, 36, 38, 40]);
    const bodies = exportsOf(keboola);
    expect(bodies.map(({ fileType }) => fileType)).toEqual([
      "parquet",
      "parquet",
      "csv",
      "parquet",
      "parquet",
      "parquet",
      "parquet",
    ]);
    expect(bodies[4]!["columns"]).toBe("id,kind");
  });

  test("continues an interrupted export of the same query only", async () => {
    const query = { changed_since: "2026-05-11", limit: 19, file_type: "csv" };
    const others = [
      { ...query, changed_since: "2026-05-01" },
      { ...query, changed_until: "2026-06-01" },
      { ...query, limit: 18 },
      { ...query, file_type: "parquet" },
    ];
    for (const next of [query, ...others]) {
      const { keboola } = people({ cache: false });
      const { agnes } = await openPeople(keboola);
      await using _ = agnes;
      await register(agnes, query);
      const stop = new AbortController();
      keboola.onRequest((step, at) => {
        if (step === "slice" && at === 2) stop.abort();
        return undefined;
      });
      expect((await failureOf(agnes.sync({ signal: stop.signal }))).code).toBe("aborted");
      keboola.onRequest(undefined);
      await (await agnes.tables()).update("kbc.people", { sourceQuery: JSON.stringify(next) });
      await sync(agnes);
      expect(await idsOf(agnes)).toHaveLength(next.limit);
      expect([next, exportsOf(keboola).length]).toEqual([next, next === query ? 1 : 2]);
    }
  });

  test("has exactly as many rows as its limit, also if Keboola does not apply a condition exactly", async () => {
    const text = { column: "kind", operator: "eq", values: ["even"] };
    // Keboola gets `ge` for it, and would count a row too many.
    const number = { column: "id", operator: "gt", values: [9] };
    for (const [filters, limit, count, sent] of [
      [[], 15, 15, 15],
      [[text], 15, 15, 15],
      [[text], 30, 20, 30],
      [[number], 15, 15, undefined],
      [[number], 100, 30, undefined],
      [[number, text], 8, 8, undefined],
    ] as const) {
      const { keboola } = people();
      const { agnes } = await openPeople(keboola);
      await using _ = agnes;
      await register(agnes, { where_filters: filters, limit });
      await sync(agnes);
      const ids = await idsOf(agnes);
      expect([filters, ids.length]).toEqual([filters, count]);
      expect(
        ids.every((id) => (filters.length < 2 || id % 2 === 0) && (filters[0] !== number || id > 9)),
      ).toBe(true);
      expect(exportsOf(keboola)[0]!["limit"]).toBe(sent);
      // All of the export was read, so its state is known.
      await sync(agnes);
      expect(exportsOf(keboola)).toHaveLength(1);
    }
  });

  test("is exported in the format of its query only", async () => {
    const { keboola } = people({ parquet: false });
    const { agnes } = await openPeople(keboola);
    await using _ = agnes;
    await register(agnes, { file_type: "csv" });
    await sync(agnes);
    expect(exportsOf(keboola).map(({ fileType }) => fileType)).toEqual(["csv"]);
    await (await agnes.tables()).update("kbc.people", { sourceQuery: '{"file_type": "parquet"}' });
    const error = await failureOf(sync(agnes));
    expect(error.message).toContain("parquet");
    expect(exportsOf(keboola).map(({ fileType }) => fileType)).toEqual(["csv", "parquet"]);
  });

  test("fails if it selects by times of changes that Keboola does not keep", async () => {
    const { keboola } = people({}, { timestampType: "NONE" });
    const { agnes } = await openPeople(keboola);
    await using _ = agnes;
    await register(agnes, { changed_since: "2026-05-11" });
    expect((await failureOf(sync(agnes))).code).toBe("keboola/changes_unknown");
    expect(exportsOf(keboola)).toEqual([]);
    await (await agnes.tables()).update("kbc.people", { sourceQuery: '{"limit": 5}' });
    await sync(agnes);
    expect(await idsOf(agnes)).toHaveLength(5);
  });

  test("is not registered with SQL or an unknown field, and the error shows the form", async () => {
    const { keboola } = people();
    const { agnes } = await openPeople(keboola);
    await using _ = agnes;
    const sql = await failureOf(register(agnes, "SELECT * FROM people"));
    expect(sql.message).toBe(
      '"kbc.people": source_query is not JSON, and keboola does not run SQL; write it as JSON with any of these fields: ' +
        '{"where_filters": [{"column":"status","operator":"eq","values":["open"]}], "columns": ["id","status"], "limit": 1000, ' +
        '"changed_since": "{{last_month}}", "changed_until": "{{today}}", "file_type": "csv"}',
    );
    const unknown = await failureOf(register(agnes, { changedSince: "2026-05-01" }));
    expect(unknown.hint).toBe('Did you mean "changed_since"?');
    const time = await failureOf(register(agnes, { changed_until: "{{yesterday}}" }));
    expect(time.message).toContain("changed_until of source_query has an unknown placeholder");
  });
});
