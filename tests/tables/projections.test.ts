import { describe, expect, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { parse } from "yaml";

import { createHost, nodeFiles } from "../../lib/base/mod.ts";
import {
  auditLines,
  parseDataDescription,
  parseRegistryJson,
  renderDataDescription,
  renderRegistryJson,
  snapshotOf,
  writeProjection,
  type TableChange,
  type TableRegistry,
} from "../../lib/tables/mod.ts";
import { errorOf, memoryRegistry } from "./registry-setup.ts";

const path = "data_description.md";
const withoutVersion = (text: string) => text.replace(/version \d+/, "version N");
const settings = async (registry: TableRegistry) =>
  (await registry.list()).map(
    ({ version: _version, registered_by: _by, registered_at: _at, ...rest }) => rest,
  );

/** Text that YAML, Markdown or a reader of either could take for something else. */
const hostileText = fc
  .oneof(
    fc.constantFrom(
      "```",
      "````yaml\ntables: []\n````",
      "a\n```\nb",
      "~~~",
      "yes",
      "no",
      "on",
      "~",
      "null",
      "1e3",
      "0x1f",
      "0o17",
      "1_000",
      "12:30",
      "2026-01-01",
      ".inf",
      "-",
      "- a",
      "a: b",
      "a #b",
      "#",
      "&a",
      "*a",
      "!tag",
      "%YAML",
      "@x",
      "`",
      "<<",
      "{a",
      "[a",
      "'",
      '"',
      "\\",
      "  lead",
      "trail  ",
      "a\n\n\nb",
      "\n",
      "\t",
      "a\tb",
      "\u2028",
      "\ufeff",
      "a\r\nb",
      "é 日本 🙂",
      "---",
      "...",
      "<!-- checksum: sha256:0000000000000000 -->",
      "x".repeat(5000),
      "\u202eabc",
    ),
    fc.string({ unit: "grapheme", maxLength: 60 }),
    fc.string({
      unit: fc.constantFrom("`", "\n", " ", "a", "-", ":", "#", '"', "'", "\\", "~", "\r", "\t", "|", ">"),
      maxLength: 30,
    }),
  )
  .filter((text) => !/[^\P{Cc}\n\r\t]|\p{Cs}/u.test(text));
const column = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
  .filter((text) => !/[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u.test(text));
const change = fc.record(
  {
    description: hostileText,
    primary_key: fc.uniqueArray(column, { maxLength: 3 }),
    source_table: fc.stringMatching(/^[a-z0-9_][a-z0-9_.-]{0,20}$/),
    sync_schedule: fc.constantFrom("every 6h", "daily 05:00,17:00", "0 5 * * 1"),
    where_filters: fc.array(
      fc.record({
        column,
        operator: fc.constantFrom("eq", "lt"),
        values: fc.array(
          fc.oneof(
            hostileText.filter((text) => text.length < 1000 && !text.includes("{{")),
            fc.integer(),
            fc.boolean(),
          ),
          { minLength: 1, maxLength: 3 },
        ),
      }),
      { maxLength: 2 },
    ),
    quarantine: fc.boolean(),
    initial_load_chunk_days: fc.integer({ min: 1, max: 60 }),
    documentation: fc.record(
      {
        grain: hostileText.filter((text) => text.length <= 2000),
        sample_questions: fc.array(
          hostileText.filter((text) => text.length <= 2000),
          { maxLength: 2 },
        ),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: ["source_table"] },
);

async function registryOf(changes: readonly object[]): Promise<TableRegistry> {
  const registry = await memoryRegistry();
  for (const [index, fields] of changes.entries()) {
    await registry.register({ source: "crm", name: `t${index}`, ...fields } as TableChange);
  }
  return registry;
}

describe("renderDataDescription()", () => {
  test("is read back to the same registry, whatever the texts hold", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 3 }), async (changes) => {
        await using registry = await registryOf(changes);
        await registry.setFolder("in.c-crm", "crm");
        const text = renderDataDescription(await snapshotOf(registry));
        await using copy = await memoryRegistry();
        await copy.import(parseDataDescription(text, { path }));
        expect(await settings(copy)).toEqual(await settings(registry));
        expect(await copy.folders()).toEqual({ "in.c-crm": "crm" });
        expect(withoutVersion(renderDataDescription(await snapshotOf(copy)))).toBe(withoutVersion(text));
      }),
      { numRuns: 150 },
    );
  });

  test("is read the same by a reader that takes the first three backticks for the end, in YAML 1.1 and 1.2", async () => {
    await fc.assert(
      fc.asyncProperty(hostileText, async (description) => {
        await using registry = await registryOf([{ source_table: "orders", description }]);
        const text = renderDataDescription(await snapshotOf(registry));
        const block = /```yaml\n(.*?)```/s.exec(text)![1]!;
        for (const version of ["1.1", "1.2"] as const) {
          const content = parse(block, { version }) as { tables: { description: unknown }[] };
          expect(content.tables[0]!.description).toBe(description);
        }
      }),
      { numRuns: 300 },
    );
  });

  test("gives the same bytes for the same registry, whatever order led to it", async () => {
    await using one = await registryOf([
      { source_table: "orders", documentation: { grain: "a", history: "b" } },
      { source_table: "people" },
    ]);
    await using other = await memoryRegistry();
    await other.register({ source: "crm", name: "t1", source_table: "people" });
    await other.register({
      source: "crm",
      name: "t0",
      source_table: "orders",
      documentation: { history: "b" },
    });
    await other.update("crm.t0", { documentation: { grain: "a" } });
    const [a, b] = [await snapshotOf(one), await snapshotOf(other)];
    expect(renderDataDescription(a)).toBe(renderDataDescription({ ...a }));
    expect(renderDataDescription({ ...b, version: a.version })).toBe(renderDataDescription(a));
  });

  test("has the five keys for every table and leaves out what nobody said", async () => {
    await using registry = await registryOf([
      { source_table: "orders" },
      { source_table: "people", view_name: "persons", initial_load_chunk_days: 7 },
    ]);
    const text = renderDataDescription(await snapshotOf(registry));
    expect(text.split("\n").slice(0, 7)).toEqual([
      expect.stringMatching(/^<!-- Generated .* -->$/),
      expect.stringMatching(/^<!-- Do not edit.* -->$/),
      expect.stringMatching(/^<!-- checksum: sha256:[0-9a-f]{16} -->$/),
      "",
      "# Data Description",
      "",
      "Generated from version 2 of the registry: 2 tables.",
    ] as string[]);
    const { tables } = parse(/```yaml\n(.*?)```/s.exec(text)![1]!) as { tables: object[] };
    expect(tables).toEqual([
      {
        id: "crm.t0",
        name: "t0",
        description: "",
        primary_key: [],
        sync_strategy: "full_refresh",
        source: "crm",
        source_table: "orders",
      },
      {
        id: "crm.t1",
        name: "t1",
        description: "",
        primary_key: [],
        sync_strategy: "full_refresh",
        source: "crm",
        view_name: "persons",
        source_table: "people",
        initial_load_chunk_days: 7,
      },
    ]);
    expect(Object.keys(tables[0]!).slice(0, 5)).toEqual([
      "id",
      "name",
      "description",
      "primary_key",
      "sync_strategy",
    ]);
  });
});

describe("parseDataDescription()", () => {
  const older = (body: string, checksum = "") =>
    `${checksum}# Data Description\n\n\`\`\`yaml\n${body}\n\`\`\`\n`;
  const olderTables = `folder_mapping:
  in.c-crm: crm
tables:
- id: in.c-crm.company
  name: company
  description: "Companies
    \`\`\`
    and so on"
  primary_key: id, region
  sync_strategy: incremental
  incremental_window_days: 7
  dataset: in.c-crm
- id: in.c-crm.people
  name: People-2024
  description: ''
  primary_key: [id]
  sync_strategy: full_refresh
  partition_by:
  where_filters: [{column: kind, values: [a]}]
  foreign_keys:
  - {column: company_id, references: company.id}`;

  test("reads an older file: ids of the source, keys as text or list, dataset for bucket", async () => {
    await using registry = await memoryRegistry();
    await registry.import(parseDataDescription(older(olderTables), { path, source: "kbc" }));
    const [company, people] = await registry.list();
    expect(company).toMatchObject({
      id: "kbc.company",
      view_name: "company",
      source_table: "in.c-crm.company",
      bucket: "in.c-crm",
      primary_key: ["id", "region"],
      sync_strategy: "incremental",
      incremental_window_days: 7,
      description: "Companies ``` and so on",
    });
    expect(people).toMatchObject({
      id: "kbc.people_2024",
      source_table: "in.c-crm.people",
      primary_key: ["id"],
      where_filters: [{ column: "kind", operator: "eq", values: ["a"] }],
      foreign_keys: [{ column: "company_id", references: "company.id" }],
    });
    expect(await registry.folders()).toEqual({ "in.c-crm": "crm" });
  });

  test("refuses an older file when nobody says which source it is of", async () => {
    const error = await errorOf(() => parseDataDescription(older(olderTables), { path }));
    expect(error.code).toBe("table_field_missing");
    expect(error.message).toContain("--source");
  });

  test("joins several blocks and passes over fences of other languages", async () => {
    const text = `${older("tables:\n- {id: a.b, name: b, source: a, source_table: b}")}\n\`\`\`sql\nselect 1\n\`\`\`\n${older("folder_mapping: {x: y}")}\n~~~yml\ntables:\n- {source: a, source_table: c}\n~~~\n`;
    const document = parseDataDescription(text, { path });
    expect([document.tables.length, document.folder_mapping]).toEqual([2, { x: "y" }]);
    expect(parseDataDescription(text.replaceAll("\n", "\r\n"), { path })).toEqual(document);
  });

  test("refuses a file that was changed after it was generated, unless told that it is meant", async () => {
    await using registry = await registryOf([{ source_table: "orders", description: "x" }]);
    const text = renderDataDescription(await snapshotOf(registry)).replace(
      "description: x",
      "description: z",
    );
    const error = await errorOf(() => parseDataDescription(text, { path }));
    expect([error.code, error.status]).toEqual(["data_description_edited", 409]);
    expect(error.hint).toContain("--edited");
    await registry.import(parseDataDescription(text, { path, edited: true }));
    expect((await registry.get("crm.t0"))!.description).toBe("z");
  });

  const malformed: readonly (readonly [string, string, RegExp])[] = [
    ["nothing", "", /no ```yaml block/],
    ["no block", "# Data Description\n", /no ```yaml block/],
    ["a block that does not end", "```yaml\ntables: []\n", /does not end/],
    ["no tables", older("folder_mapping: {}"), /no list `tables:`/],
    ["tables that are no list", older("tables: {}"), /should be a list, but is an object/],
    ["text for a block", older("hello"), /should hold fields, but holds a string/],
    ["an unknown key", older("tabels: []"), /unknown key "tabels"/],
    ["a key twice", older("tables: []\ntables: []"), /unique/i],
    ["broken YAML", older("tables: [\n"), /./],
    [
      "aliases without bound",
      older(
        `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\ntables: [*c,*c,*c,*c,*c,*c,*c]`,
      ),
      /./,
    ],
  ];
  for (const [title, text, reason] of malformed) {
    test(`refuses ${title}`, async () => {
      const error = await errorOf(() => parseDataDescription(text, { path }));
      expect(error.code).toBe("data_description_malformed");
      expect(error.message).toMatch(reason);
      expect(error.message).toStartWith(path);
    });
  }
});

describe("renderRegistryJson()", () => {
  test("is read back to the very same registry, who and when included", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 3 }), async (changes) => {
        await using registry = await registryOf(changes);
        await registry.setFolder("in.c-crm", "crm");
        const text = renderRegistryJson(await snapshotOf(registry));
        await using copy = await memoryRegistry();
        await copy.import(parseRegistryJson(text, "r.json"), { actor: "bob" });
        expect(renderRegistryJson(await snapshotOf(copy)).replace(/"version": \d+/, "")).toBe(
          text.replace(/"version": \d+/, ""),
        );
      }),
      { numRuns: 100 },
    );
  });

  const good = { format: "agnes-table-registry", format_version: 1, tables: [] };
  const malformed: readonly (readonly [string, string, RegExp])[] = [
    ["text that is not JSON", "{", /it is not JSON/],
    ["a list", "[]", /should be an object, but is a list/],
    ["another format", JSON.stringify({ ...good, format: "x" }), /its format should be/],
    [
      "a later version of the format",
      JSON.stringify({ ...good, format_version: 2 }),
      /should be 1, but is 2/,
    ],
    ["no tables", JSON.stringify({ ...good, tables: undefined }), /tables should be a list, but are missing/],
    ["an unknown key", JSON.stringify({ ...good, tabels: [] }), /unknown key "tabels"/],
    ["a table that is text", JSON.stringify({ ...good, tables: ["x"] }), /tables\[0\].*but is a string/],
    [
      "an id that is another's",
      JSON.stringify({ ...good, tables: [{ id: "a.c", source: "a", name: "b" }] }),
      /id should be "a\.b"/,
    ],
    [
      "a time that is none",
      JSON.stringify({ ...good, tables: [{ source: "a", source_table: "b", registered_at: "soon" }] }),
      /registered_at/,
    ],
    ["a folder upwards", JSON.stringify({ ...good, folder_mapping: { b: "../x" } }), /folder_mapping of "b"/],
    ["a folder that is a number", JSON.stringify({ ...good, folder_mapping: { b: 1 } }), /but is a number/],
  ];
  for (const [title, text, reason] of malformed) {
    test(`refuses ${title}`, async () => {
      const error = await errorOf(() => parseRegistryJson(text, "r.json"));
      expect(error.message).toMatch(reason);
      expect(error.message).toStartWith("r.json");
      expect(error.exitCode).toBe(2);
    });
  }
});

describe("TableRegistry.import()", () => {
  const document = (tables: readonly object[]) =>
    parseRegistryJson(
      JSON.stringify({
        format: "agnes-table-registry",
        format_version: 1,
        folder_mapping: { b: "f" },
        tables,
      }),
      "r.json",
    );

  test("takes all or nothing, and lists every table that cannot be taken", async () => {
    await using registry = await registryOf([{ source_table: "orders", view_name: "orders" }]);
    const tables = [
      { source: "crm", source_table: "good" },
      { source: "crm", source_table: "bad", sync_strategy: "partitioned" },
      { source: "crm", source_table: "worse", descripton: "x" },
      { source: "crm", source_table: "good" },
      { source: "erp", source_table: "orders" },
    ];
    const error = await errorOf(() => registry.import(document(tables)));
    expect(error.code).toBe("table_import_refused");
    const { failures } = error.details as { failures: readonly { table: string; code: string }[] };
    expect(failures.map(({ table, code }) => [table, code])).toEqual([
      ["tables[1]", "table_contradiction"],
      ["tables[2]", "table_field_unknown"],
      ["tables[3]", "table_exists"],
      ["erp.orders", "table_view_taken"],
    ]);
    expect([await registry.version(), await registry.folders()]).toEqual([1, {}]);
  });

  test("registers, changes and leaves in one step, and tells which", async () => {
    await using registry = await registryOf([
      { source_table: "a", view_name: "one", description: "kept" },
      { source_table: "b", view_name: "two" },
      { source_table: "c" },
    ]);
    // The two view names change hands: only the state after everything counts.
    const tables = [
      { source: "crm", name: "t0", view_name: "two" },
      { source: "crm", name: "t1", view_name: "one" },
      { source: "crm", name: "t2", source_table: "c" },
      { source: "erp", source_table: "d" },
    ].map((table) => ({ source_table: table.name === "t0" ? "a" : "b", ...table }));
    const dry = await registry.import(document(tables), { dryRun: true });
    expect(await registry.version()).toBe(3);
    const outcome = await registry.import(document(tables), { expectedVersion: 3 });
    expect(outcome.tables).toEqual(dry.tables);
    expect(outcome.tables.map(({ kind, id, changed }) => [kind, id, ...changed])).toEqual([
      ["updated", "crm.t0", "view_name"],
      ["updated", "crm.t1", "view_name"],
      ["unchanged", "crm.t2"],
      ["registered", "erp.d"],
    ]);
    expect(await registry.version()).toBe(4);
    expect((await registry.get("crm.t0"))!.description).toBe("kept");
    expect((await errorOf(() => registry.import(document(tables), { expectedVersion: 3 }))).code).toBe(
      "table_version_stale",
    );
  });
});

describe("writeProjection()", () => {
  test("replaces a file as a whole, and leaves it and nothing else when the disk is full", async () => {
    const directory = await mkdtemp(join(tmpdir(), "agnes-tables-"));
    try {
      await using registry = await registryOf([{ source_table: "orders" }]);
      const file = join(directory, "data_description.md");
      await writeFile(file, "old");
      const full = createHost({
        files: {
          ...nodeFiles(),
          append: () => Promise.reject(Object.assign(new Error("ENOSPC"), { code: "ENOSPC" })),
        },
      });
      expect(await writeProjection(registry, full, file, "markdown").catch(String)).toContain("ENOSPC");
      expect([await readFile(file, "utf8"), await readdir(directory)]).toEqual([
        "old",
        ["data_description.md"],
      ]);
      await writeProjection(registry, createHost(), file, "markdown");
      expect(await readFile(file, "utf8")).toBe(renderDataDescription(await snapshotOf(registry)));
      await writeProjection(registry, createHost(), join(directory, "audit.ndjson"), "audit");
      const lines = (await readFile(join(directory, "audit.ndjson"), "utf8")).trimEnd().split("\n");
      expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(
        JSON.parse(JSON.stringify(await registry.history())) as unknown[],
      );
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

describe("auditLines()", () => {
  test("gives every change as one line of JSON, whatever the texts hold", async () => {
    await using registry = await registryOf([{ source_table: "orders", description: "a\n\u2028b" }]);
    await registry.unregister("crm.t0");
    const lines: string[] = [];
    for await (const line of auditLines(registry)) lines.push(line);
    expect(lines.map((line) => line.split("\n").length)).toEqual([2, 2]);
    expect(lines.map((line) => (JSON.parse(line) as { action: string }).action)).toEqual([
      "register",
      "unregister",
    ]);
  });
});
