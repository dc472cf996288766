import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { runCli, temporaryDirectory } from "./run-cli.ts";

const workspace = temporaryDirectory();
const agnes = (...args: string[]) => runCli(args, { cwd: workspace.path });

/** A connector that accepts descriptions and no types. */
const PLUGIN = `
import { definePlugin, int64, table, utf8 } from "agnes/kit";
import * as v from "valibot";

export default definePlugin({
  name: "ledger", version: "1.0.0", description: "Takes metadata", capabilities: ["discover", "read", "write"],
  options: v.strictObject({}), secrets: {},
  connect: () => ({
    discover: async () => [table("scores", { id: int64(), name: utf8() }, { primaryKey: ["id"] })],
    async *read() { yield [{ id: 1, name: "one" }]; },
    write: async () => ({ rows: 0 }),
    writeMetadata: async (_name, columns) =>
      columns.flatMap(({ name, description, type }) => [
        ...(description === undefined ? []
          : [{ column: name, part: "description", outcome: "written", value: description, before: null }]),
        ...(type === undefined ? []
          : [{ column: name, part: "type", outcome: "skipped", value: type, before: "VARCHAR", reason: "types are fixed" }]),
      ]),
  }),
});
`;

beforeAll(async () => {
  mkdirSync(join(workspace.path, "plugins"));
  writeFileSync(join(workspace.path, "plugins", "ledger.ts"), PLUGIN);
  const source = "{ plugin: ledger, register: listed }";
  writeFileSync(join(workspace.path, "agnes.yaml"), `version: 1\nsources:\n  book: ${source}\n`);
  const columns = JSON.stringify({ name: { description: "The name", type: "DATE" } });
  const { status } = await agnes("table", "register", "book", "scores", "--column-metadata", columns);
  expect(status).toBe(0);
});
afterAll(() => workspace[Symbol.dispose]());

test("agnes metadata push prints each change, and warns of those that were skipped", async () => {
  const { status, stdout, stderr } = await agnes("metadata", "push", "scores");
  expect(status).toBe(0);
  expect(stdout).toMatch(/^name +description +written +The name/m);
  expect(stdout).toMatch(/^name +type +skipped +DATE +VARCHAR/m);
  expect(stderr).toContain("the type of name was skipped: types are fixed");
  expect(stderr).toContain("book.scores, in book: wrote 1 value, 1 skipped");
});

test("agnes metadata push prints in a dry run what it would write, as text and as JSON", async () => {
  const text = await agnes("metadata", "push", "scores", "--dry-run");
  expect(text.stderr).toContain("book.scores, in book: would write 1 value, 1 skipped");
  const { status, stdout } = await agnes("metadata", "push", "book.scores", "--dry-run", "--json");
  expect([status, JSON.parse(stdout)]).toEqual([
    0,
    {
      source: "book",
      table: "book.scores",
      changes: [
        { column: "name", part: "description", outcome: "written", value: "The name", before: null },
        {
          column: "name",
          part: "type",
          outcome: "skipped",
          value: "DATE",
          before: "VARCHAR",
          reason: "types are fixed",
        },
      ],
      dry_run: true,
    },
  ]);
});

test("agnes table update warns of metadata of a column that the source does not have", async () => {
  const columns = (name: string, parts: object | null) => [
    "--column-metadata",
    JSON.stringify({ [name]: parts }),
  ];
  const lost = await agnes("table", "update", "scores", ...columns("lost", { description: "gone" }));
  expect([lost.status, lost.stderr]).toEqual([
    0,
    expect.stringContaining("column_metadata of book.scores: the source has no column lost") as string,
  ]);
  const { stdout } = await agnes("table", "show", "scores");
  expect(stdout).toMatch(/^column_metadata +\{"lost":\{"description":"gone"\},"name":/m);
  const cleared = await agnes("table", "update", "scores", ...columns("lost", null));
  expect(cleared.stderr).not.toContain("no column");
});

/** A connector that knows `pages`, not `gone`, and may not read `secret`. */
const REMOTE = `
import { definePlugin, int64, permanent, table } from "agnes/kit";
import * as v from "valibot";

export default definePlugin({
  name: "site", version: "1.0.0", description: "Reports metadata", capabilities: ["discover", "read", "metadata"],
  options: v.strictObject({}), secrets: {}, register: "listed",
  connect: () => ({
    discover: async () => [table("pages", { id: int64() })],
    async *read() { yield [{ id: 1 }]; },
    metadata: async (tables) => tables.flatMap(({ name }) => {
      if (name === "secret") throw permanent("403: access denied");
      return name === "gone" ? [] : [{ name, entityType: "view", rows: 1234567, sizeBytes: 5_000_000 }];
    }),
  }),
});
`;

describe("agnes metadata refresh and status", () => {
  const site = temporaryDirectory();
  const run = (...args: string[]) => runCli(["metadata", ...args], { cwd: site.path });
  const register = (name: string) =>
    runCli(["table", "register", "web", name, "--mode", "remote"], { cwd: site.path });
  beforeAll(async () => {
    mkdirSync(join(site.path, "plugins"));
    writeFileSync(join(site.path, "plugins", "site.ts"), REMOTE);
    writeFileSync(join(site.path, "agnes.yaml"), "version: 1\nsources:\n  web: { plugin: site }\n");
    for (const name of ["pages", "gone", "secret"]) expect((await register(name)).status).toBe(0);
  });
  afterAll(() => site[Symbol.dispose]());

  test("refresh prints the counts and the failures, and exits with 3 if some tables failed", async () => {
    const text = await run("refresh");
    expect([text.status, text.stdout]).toEqual([3, ""]);
    expect(text.stderr).toContain("web.secret: ");
    expect(text.stderr).toContain("403: access denied");
    expect(text.stderr).toMatch(
      /refreshed the metadata of 1 of 3 remote tables, 1 unknown to their sources, 1 failed, \d/,
    );
    const json = await run("refresh", "--json");
    expect([json.status, JSON.parse(json.stdout)]).toMatchObject([
      3,
      {
        total: 3,
        succeeded: 1,
        no_data: 1,
        failed: 1,
        failures: [{ table: "web.secret", code: "source_refused" }],
      },
    ]);
  });

  test("refresh of one table prints its figures, and exits with 1 if it failed", async () => {
    const found = await run("refresh", "pages");
    expect([found.status, found.stderr]).toEqual([
      0,
      expect.stringContaining("web.pages: 1,234,567 rows, 5.0 MB") as string,
    ]);
    const gone = await run("refresh", "gone");
    expect([gone.status, gone.stderr]).toEqual([
      0,
      expect.stringContaining("web.gone: its source does not know it") as string,
    ]);
    const failed = await run("refresh", "secret", "--json");
    expect([failed.status, JSON.parse(failed.stdout)]).toMatchObject([
      1,
      { table_id: "web.secret", status: "error", error_code: "source_refused" },
    ]);
    const unknown = await run("refresh", "nothing");
    expect([unknown.status, unknown.stderr]).toEqual([2, expect.stringContaining('"nothing"') as string]);
  });

  test("status lists all remote tables, as text and as JSON", async () => {
    await run("refresh");
    const text = await run("status");
    expect(text.status).toBe(0);
    expect(text.stdout).toMatch(/^web\.pages +fresh +1,234,567 +5\.0 MB +view +\d{4}-/m);
    expect(text.stdout).toMatch(/^web\.gone +no_data .*its source does not know it/m);
    expect(text.stdout).toMatch(/^web\.secret +error .*403: access denied/m);
    const { stdout } = await run("status", "--json");
    expect(JSON.parse(stdout)).toMatchObject({
      scheduler_interval_seconds: 14_400,
      last_run: { counts: { total: 3, no_data: 1 } },
      tables: [{ table_id: "web.gone" }, { table_id: "web.pages", rows: 1_234_567 }, {}],
    });
  });

  test("a bad interval is warned of and fails nothing", async () => {
    const { status, stderr } = await runCli(["metadata", "status"], {
      cwd: site.path,
      env: { SCHEDULER_BQ_METADATA_REFRESH_INTERVAL: "4h" },
    });
    expect([status, stderr]).toEqual([
      0,
      expect.stringContaining('SCHEDULER_BQ_METADATA_REFRESH_INTERVAL is "4h"') as string,
    ]);
  });
});
