import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { fakeKeboola, type FakeKeboola, type KeboolaScript } from "../fakes/keboola/mod.ts";
import { errorsOf, openProject, rejection, type Project } from "./support.ts";

const ROWS = 60;
const TABLE = { "in.c-crm.rows": {} };

function rowsProject(script: KeboolaScript = {}) {
  const keboola = fakeKeboola({
    sliceRows: 3,
    cache: false,
    clock: { now: () => new Date("2026-05-01T00:00:00Z") },
    ...script,
  });
  const table = keboola.storage.createTable("in.c-crm.rows", {
    columns: ["id", "text"],
    rows: Array.from({ length: ROWS }, (_, at) => ({ id: String(at), text: "x".repeat(at) })),
  });
  return { keboola, table };
}

/** A project with a view, whose stack has another time than this machine. */
function viewProject(fastHours: number): FakeKeboola {
  const keboola = fakeKeboola({ sliceRows: 3, cache: false });
  const rows = Array.from({ length: ROWS }, (_, at) => ({ id: String(at) }));
  keboola.storage.createTable("in.c-crm.rows", { columns: ["id", "text"], tableType: "view", rows });
  const shifted = async (...[input, init]: Parameters<typeof fetch>): Promise<Response> => {
    const response = await keboola.fetch(input, init);
    const isStart = String(input instanceof Request ? input.url : input).endsWith("/export-async");
    if (!isStart) return response;
    const job = (await response.json()) as { readonly createdTime: string };
    const createdTime = new Date(Date.parse(job.createdTime) + fastHours * 60 * 60_000).toISOString();
    return Response.json({ ...job, createdTime }, { status: response.status });
  };
  const host: FakeKeboola["host"] = (options) =>
    keboola.host({ ...options, fetch: shifted as unknown as typeof fetch });
  return { ...keboola, host };
}

/** Stops a sync when the nth slice is requested. */
async function interrupted(project: Project, keboola: FakeKeboola, n: number): Promise<void> {
  const stop = new AbortController();
  keboola.onRequest((step, at) => {
    if (step === "slice" && at === n) stop.abort();
    return undefined;
  });
  await rejection(project.sync(TABLE, { signal: stop.signal }));
  keboola.onRequest(undefined);
  await project.reconnect();
}

/** The slices that were requested whole. */
const wholeSlices = (keboola: FakeKeboola, from: number) =>
  keboola
    .requestsOf("slice")
    .slice(from)
    .filter(({ headers }) => !headers.has("if-none-match") && !headers.has("if-modified-since"));

async function expectAll(project: Project): Promise<void> {
  const [found] = await project.rows(
    "SELECT count(*)::INT AS rows, count(DISTINCT id)::INT AS ids, sum(length(text))::INT AS size FROM rows",
  );
  expect(found).toEqual({ rows: ROWS, ids: ROWS, size: (ROWS * (ROWS - 1)) / 2 });
}

describe("a sync after an interrupted one", () => {
  test("continues the export and downloads only the slices that were not complete", async () => {
    const { keboola } = rowsProject();
    await using project = await openProject(keboola);
    await interrupted(project, keboola, 13);
    const before = keboola.requestsOf("slice").length;
    expect(errorsOf(await project.sync(TABLE))).toEqual([]);
    await expectAll(project);
    expect(keboola.jobs).toHaveLength(1);
    // Up to four downloads were running.
    expect(wholeSlices(keboola, before).length).toBeLessThanOrEqual(20 - 12 + 4);
    // What is left of it is removed with the publish.
    expect(existsSync(join(project.directory, "reads", "rows"))).toBe(false);
  });

  test("starts another export if the table changed meanwhile", async () => {
    const { keboola, table } = rowsProject();
    await using project = await openProject(keboola);
    await interrupted(project, keboola, 5);
    project.host.advance(60_000);
    table.load([{ id: "new" }], { mode: "truncate" });
    expect(errorsOf(await project.sync(TABLE))).toEqual([]);
    expect(await project.rows("SELECT id FROM rows")).toEqual([{ id: "new" }]);
    expect(keboola.jobs).toHaveLength(2);
  });

  test("starts another export if other columns are read", async () => {
    const { keboola } = rowsProject();
    await using project = await openProject(keboola);
    await interrupted(project, keboola, 5);
    expect(errorsOf(await project.sync({ "in.c-crm.rows": { columns: ["text"] } }))).toEqual([]);
    expect(keboola.jobs).toHaveLength(2);
  });

  test("starts another export if the file does not exist any more", async () => {
    const { keboola } = rowsProject();
    await using project = await openProject(keboola);
    await interrupted(project, keboola, 5);
    const [first] = keboola.files;
    keboola.onRequest((step, _n, { url }) =>
      step === "file" && url.includes(String(first!.id)) ? { kind: "status", status: 404 } : undefined,
    );
    expect(errorsOf(await project.sync(TABLE))).toEqual([]);
    await expectAll(project);
    expect(keboola.jobs).toHaveLength(2);
  });

  test("continues an export of a view only for an hour, because its changes are not known", async () => {
    const keboola = fakeKeboola({ sliceRows: 3, cache: false });
    const table = keboola.storage.createTable("in.c-crm.rows", {
      columns: ["id", "text"],
      tableType: "view",
      rows: Array.from({ length: ROWS }, (_, at) => ({ id: String(at) })),
    });
    await using project = await openProject(keboola);
    await interrupted(project, keboola, 5);
    project.host.advance(59 * 60_000);
    await interrupted(project, keboola, 12);
    expect(keboola.jobs).toHaveLength(1);
    project.host.advance(2 * 60_000);
    table.load([{ id: "new" }], { mode: "truncate" });
    expect(errorsOf(await project.sync(TABLE))).toEqual([]);
    expect(await project.rows("SELECT id FROM rows")).toEqual([{ id: "new" }]);
    expect(keboola.jobs).toHaveLength(2);
  });

  test.each([-3, 0, 3])(
    "continues an export of a view for an hour, also if the clock of the stack is %d hours fast",
    async (hours) => {
      const keboola = viewProject(hours);
      await using project = await openProject(keboola);
      await interrupted(project, keboola, 5);
      project.host.advance(59 * 60_000);
      await interrupted(project, keboola, 12);
      expect(keboola.jobs).toHaveLength(1);
      project.host.advance(2 * 60_000);
      expect(errorsOf(await project.sync(TABLE))).toEqual([]);
      expect(keboola.jobs).toHaveLength(2);
    },
  );

  test("does not continue an export of a view if the clock was set back", async () => {
    const keboola = viewProject(0);
    await using project = await openProject(keboola);
    await interrupted(project, keboola, 5);
    const path = join(project.directory, "reads", "rows", "export.json");
    const pending = (await Bun.file(path).json()) as object;
    const later = new Date(project.host.now().getTime() + 60_000).toISOString();
    await Bun.write(path, JSON.stringify({ ...pending, rememberedAt: later }));
    expect(errorsOf(await project.sync(TABLE))).toEqual([]);
    expect(keboola.jobs).toHaveLength(2);
  });

  test("ignores what another program left in the folder of the read", async () => {
    const { keboola } = rowsProject();
    await using project = await openProject(keboola);
    await interrupted(project, keboola, 5);
    await Bun.write(join(project.directory, "reads", "rows", "export.json"), '{"version":1,"fing');
    expect(errorsOf(await project.sync(TABLE))).toEqual([]);
    await expectAll(project);
    expect(keboola.jobs).toHaveLength(2);
  });
});
