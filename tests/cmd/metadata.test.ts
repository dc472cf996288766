import { afterAll, beforeAll, expect, test } from "bun:test";
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
      dryRun: true,
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
