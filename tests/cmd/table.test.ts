import { describe, expect, test } from "bun:test";
import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { storedFieldNames } from "../../lib/tables/mod.ts";
import { runCli, temporaryDirectory, type CliResult } from "./run-cli.ts";

/** A workspace with one folder of files as its source. */
async function shop(directory: string, register = "all"): Promise<(...args: string[]) => Promise<CliResult>> {
  await mkdir(join(directory, "exports"));
  await writeFile(join(directory, "exports", "orders.csv"), "id,customer,amount\n1,ann,10.50\n2,bob,7.25\n");
  await writeFile(join(directory, "exports", "people.csv"), "customer,city\nann,Brno\nbob,Oslo\n");
  await writeFile(
    join(directory, "agnes.yaml"),
    `version: 1\nsources:\n  exports: { plugin: files, register: ${register}, options: { path: ./exports } }\n`,
  );
  return (...args) => runCli(args, { cwd: directory, env: { USER: "ann" } });
}

const json = ({ stdout }: CliResult): unknown => JSON.parse(stdout) as unknown;

describe("agnes table", () => {
  test("changes, refuses and explains as the registry does", async () => {
    using directory = temporaryDirectory();
    const agnes = await shop(directory.path);
    const empty = await agnes("table", "list");
    expect([empty.status, empty.stdout]).toEqual([0, ""]);
    expect(empty.stderr).toContain("agnes table discover");

    const dry = await agnes("table", "register", "exports", "orders", "--dry-run");
    expect(dry.stderr).toContain("would have registered exports.orders");
    const where = `[{"column":"customer","values":["ann"]}]`;
    const registered = await agnes(
      "table",
      "register",
      "exports",
      "orders",
      "--primary-key",
      "id",
      "--where",
      where,
      "--quarantine",
      "true",
      "--json",
    );
    expect(json(registered)).toMatchObject({
      dry_run: false,
      table: {
        id: "exports.orders",
        primary_key: ["id"],
        quarantine: true,
        where_filters: [{ column: "customer", operator: "eq", values: ["ann"] }],
        version: 1,
      },
    });
    expect(
      json(await agnes("table", "update", "orders", "--clear", "where,quarantine", "--json")),
    ).toMatchObject({
      updated: ["where_filters", "quarantine"],
      table: { where_filters: [], quarantine: false, version: 2 },
    });
    expect((await agnes("table", "update", "orders", "--quarantine", "false")).stderr).toContain(
      "nothing changed",
    );

    const refused: readonly (readonly [readonly string[], number, RegExp])[] = [
      [["register", "exports", "orders"], 2, /already registered[^]*agnes table show exports\.orders/],
      [["register", "export", "x"], 2, /no source "export"[^]*"exports"/],
      [["register", "exports", "x", "--as", "ORDERS"], 2, /belongs to "exports\.orders"[^]*--as exports_x/],
      [["register", "exports", "../x"], 2, /source_table should be letters/],
      [["update", "order", "--schedule", "every 6h"], 2, /no registered table "order"[^]*orders/],
      [["update", "orders"], 2, /no field to change/],
      [["update", "orders", "--schedule", "sometimes"], 2, /"sometimes" is not valid/],
      [["update", "orders", "--strategy", "incrementl"], 2, /"incremental"/],
      [["update", "orders", "--strategy", "partitioned"], 2, /partition_by/],
      [["update", "orders", "--where", "1=1 --"], 2, /--where needs JSON/],
      [["update", "orders", "--incremental-window-days", "soon"], 2, /should be a number/],
      [["update", "orders", "--clear", "schedul"], 2, /Did you mean schedule/],
      [["update", "orders", "--shedule", "every 6h"], 2, /--schedule/],
      [["update", "orders", "--as", "x", "--clear", "view_name"], 2, /--as and --clear as contradict/],
      [
        ["update", "orders", "--folder", "x", "--expect-version", "1"],
        1,
        /at version 2, but version 1 was expected; changes since then: version 2, update of "exports\.orders".* by "ann"$/m,
      ],
      [["update", "orders", "--folder", "x", "--expect-version", "one"], 2, /whole number/],
      [["unregister", "nothing"], 2, /no registered table/],
      [["show", "nothing"], 2, /no registered table/],
      [["export", "--format", "mardown"], 2, /Did you mean markdown/],
      [["list", "--mode", "remot"], 2, /--mode cannot be "remot"[^]*Did you mean remote/],
      [["import", "nothing.json"], 1, /does not exist/],
      [["history", "--limit", "0"], 2, /--limit/],
    ];
    for (const [args, status, message] of refused) {
      const result = await agnes("table", ...args);
      expect([args, result.status, result.stdout]).toEqual([args, status, ""]);
      expect(result.stderr).toMatch(message);
    }
    const error = await agnes("table", "show", "nothing", "--json");
    expect(json({ ...error, stdout: error.stdout || error.stderr })).toMatchObject({
      error: { code: "table_not_registered" },
    });

    expect(json(await agnes("table", "history", "orders", "--json"))).toMatchObject({
      changes: [
        { version: 2, actor: "ann", action: "update", changed: ["where_filters", "quarantine"] },
        { version: 1, actor: "ann", action: "register" },
      ],
    });
  });

  test("sets, shows, refuses and clears the interval of a key census", async () => {
    using directory = temporaryDirectory();
    const agnes = await shop(directory.path);
    const refused = await agnes("table", "register", "exports", "orders", "--full-keys", "every 7d");
    expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining("full_keys") as string]);
    const args = ["--strategy", "incremental", "--incremental-column", "id"];
    await agnes("table", "register", "exports", "orders", ...args, "--full-keys", "every 7d");
    const shown = await agnes("table", "show", "orders");
    expect(shown.stdout).toMatch(/full_keys\s+every 7d/);
    const wrong = await agnes("table", "update", "orders", "--full-keys", "weekly");
    expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringContaining("`every 7d`") as string]);
    const cleared = await agnes("table", "update", "orders", "--clear", "full_keys", "--json");
    expect(json(cleared)).toMatchObject({ updated: ["full_keys"], table: { full_keys: null } });
  });

  test("warns when it updates a table to columns or a table that the source does not have", async () => {
    using directory = temporaryDirectory();
    const agnes = await shop(directory.path);
    await agnes("table", "register", "exports", "people");
    const warned: readonly (readonly [readonly string[], string])[] = [
      [["--primary-key", "nope"], "primary_key of exports.people: the source has no column nope"],
      [["--clear", "primary_key"], ""],
      [["--description", "all of them"], ""],
      [["--source-table", "peopel"], 'exports has no table "peopel"; did you mean "people"?'],
    ];
    for (const [args, message] of warned) {
      const { status, stderr } = await agnes("table", "update", "exports.people", ...args);
      expect(status).toBe(0);
      if (message === "") expect(stderr).not.toContain("warning");
      else expect(stderr).toContain(message);
    }
  });

  test("warns when it registers what the source does not have, or cannot be asked about", async () => {
    using directory = temporaryDirectory();
    const agnes = await shop(directory.path);
    await appendFile(
      join(directory.path, "agnes.yaml"),
      "  broken: { plugin: files, options: { path: ./nowhere } }\n",
    );
    const warned: readonly (readonly [readonly string[], RegExp])[] = [
      [
        ["exports", "ordrs"],
        /registered exports\.ordrs[^]*exports has no table "ordrs"; did you mean "orders"\?/,
      ],
      [
        ["exports", "people", "--primary-key", "id"],
        /primary_key of exports\.people: the source has no column id/,
      ],
      [["broken", "orders", "--as", "x"], /cannot check whether broken has "orders"/],
    ];
    for (const [args, message] of warned) {
      const result = await agnes("table", "register", ...args);
      expect([args, result.status]).toEqual([args, 0]);
      expect(result.stderr).toMatch(message);
    }
    const good = await agnes("table", "register", "exports", "orders", "--primary-key", "id");
    expect(good.stderr).not.toContain("warn");
    const synced = await agnes("sync", "orders");
    expect([synced.status, synced.stdout]).toEqual([0, expect.stringContaining("exports.orders") as string]);
  });

  test("has a flag for every field, and reads its text as what the field is", async () => {
    using directory = temporaryDirectory();
    const agnes = await shop(directory.path);
    // Only a plugin that runs queries accepts all fields.
    await appendFile(
      join(directory.path, "agnes.yaml"),
      "  store: { plugin: duckdb, options: { path: ./store.duckdb } }\n",
    );
    const documentation = { grain: "one order", gotchas: [{ key: "tests", body: "Some are tests." }] };
    const columns = { customer: { description: "Who, exactly", type: "VARCHAR" } };
    const keys = [{ column: "customer", references: "people.customer" }];
    const flags: Readonly<Record<string, readonly [text: string, field: string, value: unknown]>> = {
      name: ["sold", "name", "sold"],
      as: ["sales", "view_name", "sales"],
      bucket: ["shop", "bucket", "shop"],
      dataset: ["sales", "dataset", "sales"],
      "source-metadata": ['{"rows": 2}', "source_metadata", { rows: 2 }],
      mode: ["materialized", "query_mode", "materialized"],
      "source-query": ['{"limit": 5}', "source_query", '{"limit": 5}'],
      strategy: ["partitioned", "sync_strategy", "partitioned"],
      schedule: ["0 5 * * 1", "sync_schedule", "0 5 * * 1"],
      "primary-key": ['["id", "a,b"]', "primary_key", ["id", "a,b"]],
      columns: ["id, day", "columns", null],
      "incremental-column": ["id", "incremental_column", "id"],
      "incremental-window-days": ["7", "incremental_window_days", 7],
      "full-keys": ["every 7d", "full_keys", "every 7d"],
      "max-history-days": ["365", "max_history_days", 365],
      "initial-load-chunk-days": ["30", "initial_load_chunk_days", 30],
      where: ["[]", "where_filters", []],
      "partition-by": ["day", "partition_by", "day"],
      "partition-granularity": ["year", "partition_granularity", "year"],
      "schema-policy": ["freeze", "schema_policy", "freeze"],
      "invalid-values": ["set_null", "invalid_values", "set_null"],
      quarantine: ["false", "quarantine", false],
      "quarantine-max-percent": ["2.5", "quarantine_max_percent", 2.5],
      paused: ["true", "sync_paused", true],
      "profile-after-sync": ["false", "profile_after_sync", false],
      "server-only": ["true", "server_only", true],
      folder: ["shop/eu", "folder", "shop/eu"],
      description: ["7", "description", "7"],
      "foreign-keys": [JSON.stringify(keys), "foreign_keys", keys],
      "column-metadata": [JSON.stringify(columns), "column_metadata", columns],
      documentation: [JSON.stringify(documentation), "documentation", documentation],
    };
    const fields = Object.values(flags).map(([, field]) => field);
    expect([...fields, "source", "source_table"].sort()).toEqual([...storedFieldNames].sort());
    const present = Object.entries(flags).filter(([flag]) => flag !== "columns");
    const args = present.flatMap(([flag, [text]]) => [`--${flag}`, text]);
    const result = await agnes("table", "register", "store", "orders", ...args, "--json");
    expect([result.status, result.stderr]).toEqual([0, ""]);
    expect(json(result)).toMatchObject({
      table: Object.fromEntries(present.map(([, [, field, value]]) => [field, value])),
    });
    const listed = await agnes(
      "table",
      "update",
      "sales",
      "--primary-key",
      "id",
      "--columns",
      "id, day",
      "--json",
    );
    expect(json(listed)).toMatchObject({ table: { primary_key: ["id"], columns: ["id", "day"] } });
  });

  test("registers new tables, reports drifted ones, and keeps registered ones", async () => {
    using directory = temporaryDirectory();
    const agnes = await shop(directory.path, "listed");
    await agnes(
      "table",
      "register",
      "exports",
      "orders",
      "--partition-by",
      "day",
      "--strategy",
      "partitioned",
      "--description",
      "mine",
    );
    const dry = json(await agnes("table", "discover", "--dry-run", "--json"));
    const found = await agnes("table", "discover", "exports", "--json");
    expect(json(found)).toEqual({ ...(dry as object), dry_run: false });
    expect(json(found)).toMatchObject({
      sources: [
        {
          source: "exports",
          candidates: [
            {
              kind: "drifted",
              id: "exports.orders",
              drift: [{ field: "partition_by", reason: "the source has no column day" }],
            },
            { kind: "new", id: "exports.people" },
          ],
        },
      ],
    });
    expect(json(await agnes("table", "show", "orders", "--json"))).toMatchObject({
      table: { description: "mine", version: 1 },
    });
    expect((await agnes("table", "discover", "nowhere")).status).toBe(2);
    await agnes("table", "unregister", "people");
    expect((await agnes("table", "discover")).stdout).toMatch(/unregistered\s+exports\s+people.*by ann/);
    expect((await agnes("table", "discover", "--again")).stdout).toMatch(/new\s+exports\s+people/);
  });

  test("discovers other sources if one cannot be read, and reports all", async () => {
    using directory = temporaryDirectory();
    const agnes = await shop(directory.path, "listed");
    await appendFile(
      join(directory.path, "agnes.yaml"),
      "  broken: { plugin: files, options: { path: ./nowhere } }\n",
    );
    const some = await agnes("table", "discover", "broken", "exports", "--json");
    expect(some.status).toBe(3);
    expect(json(some)).toMatchObject({
      sources: [{ source: "exports", candidates: [{ kind: "new" }, { kind: "new" }] }],
      errors: [{ source: "broken", error: { code: "source_path_empty" } }],
    });
    expect(some.stderr).toMatch(/^{"subject":"broken","error":.*"hint"/m);
    const text = await agnes("table", "discover");
    expect(text.status).toBe(3);
    expect(text.stderr).toContain("registered 0; 2 unchanged");
    const none = await agnes("table", "discover", "broken");
    expect([none.status, none.stdout]).toEqual([1, ""]);
    const typo = await agnes("table", "discover", "exports", "brokn");
    expect([typo.status, typo.stdout]).toEqual([2, ""]);
  });

  test("shows, sets and clears folders, and never clears one that is only asked for", async () => {
    using directory = temporaryDirectory();
    const agnes = await shop(directory.path);
    const folder = async (...args: string[]) => json(await agnes("table", "folder", ...args, "--json"));
    const change = { bucket: "in.c-crm", folder: "crm", before: null, changed: true };
    expect(await folder("in.c-crm", "crm", "--dry-run")).toEqual({ ...change, dry_run: true });
    expect(await folder()).toEqual({ version: 0, folder_mapping: {} });
    expect(await folder("in.c-crm", "crm", "--expect-version", "0")).toEqual({ ...change, dry_run: false });
    expect(await folder("in.c-crm")).toEqual({ version: 1, folder_mapping: { "in.c-crm": "crm" } });
    expect((await agnes("table", "folder", "in.c-crm", "crm")).stderr).toContain("nothing changed");
    const refused = [
      [["in.c-crm", "x", "--expect-version", "0"], 1, /at version 1, but version 0 was expected/],
      [["in.c-crm", "../x"], 2, /should be a relative path/],
      [["in.c-crm", "x", "--clear"], 2, /--clear needs a bucket alone/],
      [["--clear"], 2, /--clear needs a bucket alone/],
    ] as const;
    for (const [args, status, message] of refused) {
      const result = await agnes("table", "folder", ...args);
      expect([args, result.status]).toEqual([args, status]);
      expect(result.stderr).toMatch(message);
    }
    expect((await agnes("table", "folder", "in.c-crm", "--clear")).stderr).toContain("cleared the folder");
    expect(await folder()).toEqual({ version: 2, folder_mapping: {} });
  });

  test("exports and imports the folders of a file, and refuses bytes that are not text", async () => {
    using directory = temporaryDirectory();
    const agnes = await shop(directory.path);
    await agnes("table", "folder", "in.c-crm", "crm");
    const exported = await agnes("table", "export", "--json");
    expect(json(exported)).toMatchObject({ format: "agnes-table-registry", version: 1 });
    await writeFile(join(directory.path, "registry.json"), exported.stdout.replace(': "crm"', ': "sales"'));
    const dry = await agnes("table", "import", "registry.json", "--dry-run");
    expect(dry.stdout).toMatch(/set\s+folder of in\.c-crm\s+sales/);
    expect(json(await agnes("table", "folder", "--json"))).toMatchObject({ version: 1 });
    const stale = await agnes("table", "import", "registry.json", "--expect-version", "0");
    expect([stale.status, stale.stdout]).toEqual([1, ""]);
    const { version } = json(await agnes("table", "list", "--json")) as { version: number };
    const current = ["--expect-version", String(version)];
    expect(json(await agnes("table", "import", "registry.json", ...current, "--json"))).toMatchObject({
      folders: [{ kind: "set", bucket: "in.c-crm", folder: "sales" }],
      dry_run: false,
    });
    for (const name of ["latin.json", "latin.md"]) {
      await writeFile(join(directory.path, name), Buffer.from("# caf\u00e9", "latin1"));
      const refused = await agnes("table", "import", name);
      expect([refused.status, refused.stdout]).toEqual([2, ""]);
      expect(refused.stderr).toContain("it is not UTF-8 text");
    }
  });

  test("moves a registry to another workspace, all of it or nothing", async () => {
    using directory = temporaryDirectory();
    using other = temporaryDirectory();
    const agnes = await shop(directory.path);
    const there = await shop(other.path);
    await agnes("table", "discover");
    await agnes("table", "folder", "in.c-crm", "crm");
    const updated = await agnes("table", "update", "orders", "--description", "a\n```\nb", "--as", "sales");
    expect(updated.stderr).toEndWith("\nNext: agnes sync exports.orders\n");
    const markdown = (await agnes("table", "export")).stdout;
    const file = join(other.path, "data_description.md");
    await writeFile(file, markdown);
    expect((await there("table", "import", file, "--dry-run")).stdout).toMatch(
      /registered\s+exports\.orders/,
    );
    expect(json(await there("table", "list", "--json"))).toEqual({ version: 0, tables: [] });
    expect((await there("table", "import", file)).status).toBe(0);
    expect((await there("table", "export")).stdout.split("```")[1]).toBe(markdown.split("```")[1]!);

    await writeFile(file, markdown.replace("sales", "sold"));
    expect((await there("table", "import", file)).stderr).toContain("--edited");
    expect((await there("table", "import", file, "--edited")).status).toBe(0);
    expect(json(await there("table", "show", "sold", "--json"))).toMatchObject({
      table: { id: "exports.orders" },
    });

    const registry = JSON.parse((await agnes("table", "export", "--format", "json")).stdout) as {
      tables: object[];
    };
    const broken = {
      ...registry,
      tables: [...registry.tables, { source: "x", source_table: "y", nonsense: 1 }],
    };
    await writeFile(join(other.path, "registry.json"), JSON.stringify(broken));
    const refused = await there("table", "import", "registry.json");
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain('tables[2]: there is no field "nonsense"');
    expect(json(await there("table", "list", "--json"))).toMatchObject({ version: 2 });
  });
});
