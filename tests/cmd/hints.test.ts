import { afterAll, beforeAll, expect, spyOn, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { openCli } from "../../cmd/cli/cli.ts";
import { AgnesError } from "../../lib/base/mod.ts";
import { runCli, temporaryDirectory } from "./run-cli.ts";

const workspace = temporaryDirectory();
const run = (...args: string[]) => runCli(args, { cwd: workspace.path });
const configure = (tables: string) =>
  writeFileSync(
    join(workspace.path, "agnes.yaml"),
    `version: 1\nsources:\n  exports: { plugin: files, options: { path: ./exports, tables: { ${tables} } } }\n`,
  );

beforeAll(async () => {
  mkdirSync(join(workspace.path, "exports"));
  for (const name of ["semi", "Big", "able"]) {
    writeFileSync(join(workspace.path, "exports", `${name}.csv`), "id,text\n1,a\n2,b\n");
  }
  configure("");
  await run("sync");
});
afterAll(() => workspace[Symbol.dispose]());

/** What is typed, and what stderr must hold. */
const wrong: readonly (readonly [args: readonly string[], phrases: readonly string[]])[] = [
  [
    ["table", "update", "semi", "--where", '[{"column":"id","operator":"gte","values":[1]}]'],
    ['Did you mean "ge"?'],
  ],
  [
    ["table", "update", "semi", "--where", '[{"column":"id","operator":"<>","values":[1]}]'],
    ['Did you mean "ne"?'],
  ],
  [
    ["table", "update", "semi", "--quarantine", "maybe"],
    ['--quarantine cannot be "maybe"', "true, false"],
  ],
  [
    ["table", "update", "semi", "--incremental-window-days", "two"],
    ['--incremental-window-days should be a number, not "two"'],
  ],
  [
    ["table", "update", "semi", "--mode", "materialized", "--source-query", "SELECT 1"],
    ["files does not run queries", "use the mode local"],
  ],
  [
    ["sync", "semy"],
    ['there is no source or table "semy"', 'Did you mean "semi"?'],
  ],
  [["sync", "exprots"], ['Did you mean "exports"?']],
  [
    ["query", "SELECT 1", "--format", "jsn"],
    ['--format cannot be "jsn"', "Did you mean json?"],
  ],
];

test("errors name the value seen and a remedy that fits what was typed", async () => {
  for (const [args, phrases] of wrong) {
    const { status, stderr } = await run(...args);
    expect([args, status]).toEqual([args, 2]);
    for (const words of phrases) expect(stderr).toContain(words);
  }
  expect(new AgnesError("aborted", { what: "the query" }).hint).toBe("Run it again.");
});

test("agnes connector new names the file that is there and asks for another name", async () => {
  expect((await run("connector", "new", "crm")).status).toBe(0);
  const { status, stderr } = await run("connector", "new", "crm");
  expect(status).toBe(2);
  expect(stderr).toMatch(
    /plugins\/crm\/\S+ already exists\n hint {2}Choose another name.*\n code {2}scaffold_invalid\n/,
  );
});

test("agnes connector new keeps a plugin of one file, whose name a folder would take", async () => {
  mkdirSync(join(workspace.path, "plugins"), { recursive: true });
  writeFileSync(join(workspace.path, "plugins", "kiosk.ts"), "export default {};\n");
  const { status, stderr } = await run("connector", "new", "kiosk");
  rmSync(join(workspace.path, "plugins", "kiosk.ts"));
  expect([status, stderr]).toEqual([2, expect.stringMatching(/plugins\/kiosk\.ts already exists\n hint /)]);
});

test("agnes connector new names the commands that a plugin without discover needs", async () => {
  const { stderr } = await run("connector", "new", "till", "--capabilities", "read");
  expect(stderr).toContain("connector test till --table people");
  expect(stderr).toContain("register its tables: see plugins/till/README.md");
  expect(readFileSync(join(workspace.path, "plugins/till/README.md"), "utf8")).toContain(
    "`agnes connector test till --table people` runs",
  );
  const { status } = await run("connector", "test", "till", "--table", "people", "--case", "schema");
  expect(status).toBe(0);
});

test("agnes connector discover lists tables in an order that capitals do not change", async () => {
  const { stdout } = await run("connector", "discover", "exports", "--json");
  const { tables } = JSON.parse(stdout) as { tables: readonly { name: string }[] };
  expect(tables.map(({ name }) => name.toLowerCase())).toEqual(["able", "big", "semi"]);
});

test("a primary key that agnes.yaml gives later is shown by table list, table show and schema", async () => {
  configure("semi: { path: ./exports/semi.csv, primaryKey: [id] }");
  expect((await run("sync", "semi")).status).toBe(0);
  expect((await run("table", "list")).stdout).toMatch(/^exports\.semi +semi +local +full_refresh +id$/m);
  expect((await run("table", "show", "semi")).stdout).toMatch(/^primary key of the source +id$/m);
  expect(JSON.parse((await run("table", "show", "semi", "--json")).stdout)).toMatchObject({
    effective_primary_key: ["id"],
  });
  expect((await run("schema", "semi")).stderr).toContain("primary key id\n");
  expect(JSON.parse((await run("schema", "semi", "--json")).stdout)).toMatchObject({ primary_key: ["id"] });
});

test("openCli() prints how a second signal stops immediately", async () => {
  for (const [signal, words] of [
    ["SIGINT", "press Ctrl-C again to stop at once"],
    ["SIGTERM", "a second SIGTERM stops at once"],
  ] as const) {
    let text = "";
    const spy = spyOn(process.stderr, "write").mockImplementation((chunk) => {
      text += String(chunk);
      return true;
    });
    await using cli = openCli("agnes sync", {});
    process.emit(signal, signal);
    spy.mockRestore();
    expect([cli.signal.aborted, text]).toEqual([true, `\nstopping; ${words}\n`]);
  }
});
