import { describe, expect, test } from "bun:test";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { runCli, temporaryDirectory } from "./run-cli.ts";

describe("agnes table import and export, for the earlier system", () => {
  test("take over its registry, list what is not valid, and give its readers what they know", async () => {
    using directory = temporaryDirectory();
    const cwd = directory.path;
    const agnes = (...args: string[]) => runCli(args, { cwd, env: { USER: "ann" } });
    await mkdir(join(cwd, "exports"));
    await writeFile(
      join(cwd, "agnes.yaml"),
      "version: 1\nsources:\n  kbc: { plugin: files, options: { path: ./exports } }\n",
    );
    const table = (id: string, name: string, more: object = {}) => ({
      id,
      name,
      description: "",
      primary_key: "id",
      sync_strategy: "full_refresh",
      folder: null,
      initial_load_chunk_days: 30,
      registered_at: "2026-03-09T14:25:37.123456+00:00",
      registered_by: "eva",
      source_metadata: { rows: 3 },
      ...more,
    });
    const registry = {
      _metadata: {
        version: 7,
        created_at: "2026-01-01T00:00:00+00:00",
        updated_at: "2026-03-09T14:25:37+00:00",
      },
      folder_mapping: { "in.c-crm": "crm" },
      tables: [
        table("in.c-crm.orders", "orders", { dataset: "sales" }),
        table("in.c-erp.orders", "orders"),
        table("in.c-erp.lost", "lost", { sync_strategy: "partitioned" }),
      ],
    };
    await writeFile(join(cwd, "table_registry.json"), JSON.stringify(registry));

    const refused = await agnes("table", "import", "table_registry.json", "--source", "kbc");
    expect([refused.status, refused.stdout]).toEqual([2, ""]);
    expect(refused.stderr).toMatch(/tables\[2\]: "kbc\.lost"[^]*--skip-invalid/);
    const nameless = await agnes("table", "import", "table_registry.json");
    expect([nameless.status, nameless.stderr]).toEqual([2, expect.stringContaining("--source") as string]);

    const imported = await agnes(
      "table",
      "import",
      "table_registry.json",
      "--source",
      "kbc",
      "--skip-invalid",
    );
    expect(imported.status).toBe(3);
    expect(imported.stdout).toMatch(/registered\s+kbc\.in_c_erp_orders\s+in_c_erp_orders\s.*named in_c_erp/);
    expect(imported.stdout).toMatch(/skipped\s+tables\[2\]/);
    expect(imported.stderr).toMatch(/_metadata is not kept.*version 7[^]*imported 2 of 2; skipped 1/);
    const listed = await agnes("table", "list", "--dataset", "sales", "--json");
    expect(JSON.parse(listed.stdout)).toMatchObject({
      tables: [{ id: "kbc.orders", registered_by: "eva", source_metadata: { rows: 3 } }],
    });

    const args = ["table", "export", "--format", "upstream", "--output", "data_description.md"];
    const exported = await agnes(...args);
    expect(exported.stderr).toContain("kbc.orders has more than can be written there: source_metadata");
    const text = await readFile(join(cwd, "data_description.md"), "utf8");
    expect(text).toContain('- id: "in.c-crm.orders"\n    name: orders\n');
    expect(text).toContain("primary_key: id\n");
    const again = await agnes("table", "import", "data_description.md", "--source", "kbc", "--json");
    expect(JSON.parse(again.stdout)).toMatchObject({
      tables: [{ kind: "unchanged" }, { kind: "unchanged" }],
      skipped: [],
    });
    const wrong = await agnes("table", "export", "--source", "kbc");
    expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringContaining("--format upstream") as string]);
  });
});
