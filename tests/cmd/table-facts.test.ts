import { expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { runCli, temporaryDirectory, type CliResult } from "./run-cli.ts";

async function shop(directory: string): Promise<(...args: string[]) => Promise<CliResult>> {
  await mkdir(join(directory, "exports"));
  await writeFile(join(directory, "exports", "orders.csv"), "id,customer\n1,ann\n");
  const source = "{ plugin: files, register: listed, options: { path: ./exports } }";
  await writeFile(join(directory, "agnes.yaml"), `version: 1\nsources:\n  exports: ${source}\n`);
  const agnes = (...args: string[]) => runCli(args, { cwd: directory });
  const keys = [{ column: "customer", references: "people.name", description: "who bought" }];
  const documentation = { grain: "one order", gotchas: [{ key: "tests", body: "Some are tests." }] };
  const { status, stderr } = await agnes(
    "table",
    "register",
    "exports",
    "orders",
    "--bucket=main",
    `--foreign-keys=${JSON.stringify(keys)}`,
    `--documentation=${JSON.stringify(documentation)}`,
  );
  expect([status, stderr]).toEqual([0, expect.stringContaining("registered exports.orders")]);
  return agnes;
}

test("agnes schema shows foreign keys and documentation, and table show the folder of the bucket", async () => {
  using directory = temporaryDirectory();
  const agnes = await shop(directory.path);
  await agnes("sync");
  const { stderr } = await agnes("schema", "orders");
  for (const line of [
    "customer refers to people.name: who bought",
    "grain: one order",
    "gotchas: tests: Some are tests.",
  ])
    expect(stderr).toContain(`${line}\n`);
  expect(JSON.parse((await agnes("schema", "orders", "--json")).stdout)).toMatchObject({
    foreign_keys: [{ column: "customer", references: "people.name" }],
    documentation: { grain: "one order" },
  });

  await agnes("table", "folder", "main", "sales/eu");
  expect((await agnes("table", "show", "orders")).stdout).toMatch(/folder of its bucket +sales\/eu/);
  await agnes("table", "update", "orders", "--folder", "own");
  const shown = await agnes("table", "show", "orders", "--json");
  expect(JSON.parse(shown.stdout)).toMatchObject({ effective_folder: "own", table: { folder: "own" } });
});

test("agnes table unregister lists what it removes, and nothing of a table that was never published", async () => {
  using directory = temporaryDirectory();
  const agnes = await shop(directory.path);
  const before = await agnes("table", "unregister", "orders", "--dry-run");
  expect([before.status, before.stdout]).toEqual([0, ""]);
  await agnes("sync");
  const { stdout } = await agnes("table", "unregister", "orders", "--dry-run");
  expect(stdout.trimEnd().split("\n").slice(2)).toEqual([
    expect.stringMatching(/^extract_table +exports\.orders$/),
    expect.stringMatching(/^view +orders$/),
    expect.stringMatching(/^sync_state +exports\.orders$/),
  ] as string[]);
});

test("agnes table import names fields that this version does not read, and imports the rest", async () => {
  using directory = temporaryDirectory();
  const agnes = await shop(directory.path);
  const entry = { source: "exports", source_table: "orders", bq_fqn: "p.d.orders", profile_after_sync: true };
  const document = { format: "agnes-table-registry", format_version: 1, version: 1, folder_mapping: {} };
  const text = JSON.stringify({ ...document, tables: [entry] });
  await writeFile(join(directory.path, "registry.json"), text);
  const { status, stderr } = await agnes("table", "import", "registry.json");
  expect(status).toBe(0);
  expect(stderr).toContain("exports.orders: this version does not read bq_fqn, so it is ignored\n");
});
