import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { runCli, temporaryDirectory } from "./run-cli.ts";

setDefaultTimeout(60_000);

/** It reads three tables and lists none: of row objects, of a file, and one without a row. */
const PLUGIN = `
import { definePlugin } from "agnes/kit";
import * as v from "valibot";
export default definePlugin({
  name: "blind", version: "1.0.0", description: "It lists no table", capabilities: ["read"],
  options: v.strictObject({}), secrets: {},
  connect: ({ resolvePath }) => ({
    async *read({ name }, { cursor }) {
      const rows = [1, 2, 3].map((id) => ({ id, at: "2026-01-0" + id, tags: ["x"] }));
      if (name === "deals") {
        const isWanted = ({ at }) => cursor === undefined || (cursor.inclusive ? at >= cursor.value : at > cursor.value);
        yield rows.filter(isWanted);
      } else if (name === "twice") yield [...rows, ...rows];
      else if (name === "file") yield { kind: "file", format: "csv", data: resolvePath("file.csv") };
      else if (name !== "empty") throw new Error("there is no table " + name);
    },
  }),
});
`;

const workspace = temporaryDirectory();
const run = (...args: string[]) => runCli(args, { cwd: workspace.path });

function writeWorkspace(directory: string): void {
  mkdirSync(join(directory, "plugins"));
  writeFileSync(join(directory, "plugins", "blind.ts"), PLUGIN);
  writeFileSync(join(directory, "file.csv"), "id,name\n1,a\n2,b\n");
  writeFileSync(join(directory, "agnes.yaml"), "version: 1\nsources:\n  crm: { plugin: blind }\n");
}

beforeAll(() => writeWorkspace(workspace.path));
afterAll(() => workspace[Symbol.dispose]());

test("agnes connector test reports the missing option if a plugin lists no table and none is registered", async () => {
  const source = await run("connector", "test", "crm");
  expect(source.stderr).toContain(
    "blind does not list its tables and none is registered, so no case read a table: set --table, or register them: `agnes table register crm TABLE`",
  );
  expect(source.stdout).not.toContain("declared schema");
  const plugin = await run("connector", "test", "blind");
  expect(plugin.stderr).toContain("so no case read a table: set --table\n");
});

test("agnes table discover and agnes doctor name how tables get registered that a plugin cannot list", async () => {
  using own = temporaryDirectory();
  writeWorkspace(own.path);
  const run = (...args: string[]) => runCli(args, { cwd: own.path });
  const all = await run("table", "discover");
  expect([all.status, all.stderr.includes("error")]).toEqual([0, false]);
  expect(all.stderr).toContain("crm cannot list its tables; `agnes table register crm TABLE` registers one");
  const json = await run("table", "discover", "--json");
  expect([json.status, JSON.parse(json.stdout)]).toMatchObject([
    0,
    { errors: [], not_listed: [{ source: "crm" }] },
  ]);
  const named = await run("table", "discover", "crm");
  expect([named.status, named.stderr.includes("capability_missing")]).toEqual([2, true]);
  const doctor = await run("doctor");
  expect(doctor.stderr).toContain(
    "source crm: Its plugin cannot list its tables: run `agnes table register crm TABLE`, then `agnes sync crm`.",
  );
});

test("agnes connector test reads the tables that --table names, of a source and of a plugin", async () => {
  for (const name of ["crm", "blind"]) {
    const { status, stdout, stderr } = await run("connector", "test", name, "--table", "deals,file");
    expect({ name, status, failed: stdout.includes("failed") }).toEqual({ name, status: 0, failed: false });
    expect(stdout).toMatch(/^ok +an extract publishes every row of every table/m);
    expect(stderr).not.toContain("no case read one");
  }
  const limited = await run(
    "connector",
    "test",
    "crm",
    "--table",
    "deals",
    "--rows",
    "1",
    "--case",
    "columns",
  );
  expect(limited.stdout).toContain("more than 1 row: deals");
  const missing = await run("connector", "test", "crm", "--table", "nothing", "--case", "declared");
  expect([missing.status, missing.stdout]).toEqual([1, expect.stringContaining("there is no table nothing")]);
  const empty = await run("connector", "test", "crm", "--table", "empty", "--case", "declared");
  expect([empty.status, empty.stdout]).toEqual([1, expect.stringContaining("read() of empty yields no row")]);
});

test("agnes connector test reads the tables that are registered, with their keys and cursors", async () => {
  using own = temporaryDirectory();
  writeWorkspace(own.path);
  const run = (...args: string[]) => runCli(args, { cwd: own.path });
  const deals = ["--primary-key", "id", "--strategy", "incremental", "--incremental-column", "at"];
  await run("table", "register", "crm", "deals", "--name", "offers", ...deals);
  const cursor = await run("connector", "test", "crm", "--case", "cursor");
  expect(cursor).toMatchObject({ status: 0, stdout: expect.not.stringContaining("nothing was tested") });
  const again = await run("connector", "test", "crm", "--table", "offers", "--case", "each primary key");
  expect(again).toMatchObject({ status: 0, stdout: expect.not.stringContaining("nothing was tested") });
  await run("table", "register", "crm", "twice", "--primary-key", "id");
  const twice = await run("connector", "test", "crm", "--case", "each primary key");
  expect(twice).toMatchObject({
    status: 1,
    stdout: expect.stringContaining("read() of twice yields 2 rows with the primary key id = (1)"),
  });
});
