import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { runCli, temporaryDirectory } from "./run-cli.ts";

const workspace = temporaryDirectory();
const written = join(workspace.path, "written.json");
const push = (...args: string[]) => runCli(["push", ...args], { cwd: workspace.path });

/** A connector that writes rows to a file. */
const PLUGIN = `
import { definePlugin, int64, table, utf8 } from "agnes/kit";
import { writeFile } from "node:fs/promises";
import * as v from "valibot";

export default definePlugin({
  name: "ledger", version: "1.0.0", description: "Takes rows", capabilities: ["discover", "read", "write"],
  options: v.strictObject({}), secrets: {},
  connect: () => ({
    discover: async () => [table("scores", { id: int64(), name: utf8() }, { primaryKey: ["id"] })],
    async *read() { yield [{ id: 1, name: "one" }]; },
    async write(_table, batches, { mode }) {
      const rows = [];
      for await (const batch of batches) for (const row of batch) rows.push(row.name);
      await writeFile(${JSON.stringify(written)}, JSON.stringify({ mode, rows }));
      return { rows: rows.length };
    },
  }),
});
`;

beforeAll(() => {
  mkdirSync(join(workspace.path, "plugins"));
  writeFileSync(join(workspace.path, "plugins", "ledger.ts"), PLUGIN);
  const source = "{ plugin: ledger, register: listed }";
  writeFileSync(join(workspace.path, "agnes.yaml"), `version: 1\nsources:\n  book: ${source}\n`);
});
afterEach(() => rmSync(written, { force: true }));
afterAll(() => workspace[Symbol.dispose]());

const SQL = "SELECT 7 AS id, 'seven' AS name";
const TO_SCORES = ["scores", "--source", "book", "--sql", SQL];

test("agnes push prints in a dry run what it would do, and writes nothing", async () => {
  const { status, stdout, stderr } = await push(...TO_SCORES, "--mode", "replace", "--dry-run");
  expect([status, stdout, stderr]).toEqual([
    0,
    "",
    'book, table "scores": would delete all rows and write 1 row (id, name)\n',
  ]);
  expect(existsSync(written)).toBe(false);
});

test("agnes push writes the rows and prints the report as JSON", async () => {
  const { status, stdout } = await push(...TO_SCORES, "--mode", "upsert", "--json");
  expect([status, JSON.parse(stdout)]).toEqual([
    0,
    { source: "book", table: "scores", mode: "upsert", columns: ["id", "name"], rows: 1, dry_run: false },
  ]);
  expect(JSON.parse(readFileSync(written, "utf8"))).toEqual({ mode: "upsert", rows: ["seven"] });
});

test("agnes push needs a mode, and exits with 2 for rows that do not fit", async () => {
  const unnamed = await push(...TO_SCORES);
  expect([unnamed.status, unnamed.stderr]).toEqual([
    2,
    expect.stringContaining("Set --mode to append, upsert or replace.") as string,
  ]);
  const unasked = await push("scores", "--mode", "append");
  expect([unasked.status, unasked.stderr]).toEqual([2, expect.stringContaining("--sql") as string]);
  const misfit = await push("scores", "--source", "book", "--sql", "SELECT 7 AS id", "--mode", "append");
  expect([misfit.status, misfit.stderr]).toEqual([
    2,
    expect.stringContaining('the rows have no "name"') as string,
  ]);
});
