import { expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { typeGuide } from "../cmd/guide.ts";
import { runCli, temporaryDirectory, type CliResult } from "../cmd/run-cli.ts";

const json = ({ stdout }: CliResult): unknown => JSON.parse(stdout) as unknown;

test("docs/guide/tables.md drives a workspace from nothing to a synced registry", async () => {
  using directory = temporaryDirectory();
  const { status, stdout, stderr } = await typeGuide("tables.md", directory.path);
  expect({ status, stderr: status === 0 ? "" : stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toMatch(/Brno\s+10\.5/);
  expect(stderr).toContain("registered exports.orders as sales");
  expect(stderr).toContain("registered 1; 1 unchanged, 0 drifted, 0 not valid");
  const run = (...args: string[]) => runCli(args, { cwd: join(directory.path, "shop") });
  expect(json(await run("table", "show", "sales", "--json"))).toMatchObject({
    table: {
      id: "exports.orders",
      view_name: "sales",
      sync_strategy: "full_refresh",
      incremental_column: null,
      sync_schedule: "every 6h",
      folder: "shop",
      registered_by: "ann",
      version: 8,
    },
  });
  expect(json(await run("table", "list", "--json"))).toMatchObject({
    version: 11,
    tables: [{ id: "exports.orders" }],
  });
  const audit = (await readFile(join(directory.path, "shop", "audit.ndjson"), "utf8")).trimEnd().split("\n");
  expect(audit.map((line) => (JSON.parse(line) as { version: number }).version)).toEqual([
    1, 2, 3, 4, 5, 6, 7, 8,
  ]);
  expect(stderr).toContain("would publish generation 1 of exports again: 2 tables, 4 rows");
  expect(stderr).toContain("generation 1 of exports is published again, as 3");
  expect(json(await run("table", "folder", "--json"))).toMatchObject({ folder_mapping: {} });
});
