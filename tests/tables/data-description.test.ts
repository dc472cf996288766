import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { parse } from "yaml";

import { parseDataDescription } from "../../lib/tables/mod.ts";
import { renderDataDescription } from "../../lib/tables/projections/data-description.ts";
import { snapshotOf } from "../../lib/tables/projections/export.ts";
import { change, hostileText, registryOf, settings, withoutVersion } from "./hostile-changes.ts";
import { errorOf, memoryRegistry } from "./registry-setup.ts";

const path = "data_description.md";

describe("renderDataDescription()", () => {
  test("round-trips the registry with any texts", async () => {
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

  test("is parsed equally by readers that end at the first three backticks, in YAML 1.1 and 1.2", async () => {
    await fc.assert(
      fc.asyncProperty(hostileText, async (description) => {
        await using registry = await registryOf([{ sourceTable: "orders", description }]);
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

  test("returns the same bytes for the same registry, regardless of the order of changes", async () => {
    await using one = await registryOf([
      { sourceTable: "orders", documentation: { grain: "a", history: "b" } },
      { sourceTable: "people" },
    ]);
    await using other = await memoryRegistry();
    await other.register({ source: "crm", name: "t1", sourceTable: "people" });
    await other.register({
      source: "crm",
      name: "t0",
      sourceTable: "orders",
      documentation: { history: "b" },
    });
    await other.update("crm.t0", { documentation: { grain: "a" } });
    const [a, b] = [await snapshotOf(one), await snapshotOf(other)];
    expect(renderDataDescription(a)).toBe(renderDataDescription({ ...a }));
    expect(renderDataDescription({ ...b, version: a.version })).toBe(renderDataDescription(a));
  });

  test("has the five keys for each table and omits defaults", async () => {
    await using registry = await registryOf([
      { sourceTable: "orders" },
      { sourceTable: "people", viewName: "persons", maxHistoryDays: 7 },
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
        max_history_days: 7,
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
  dataset: sales
- id: in.c-crm.people
  name: People-2024
  description: ''
  primary_key: [id]
  sync_strategy: full_refresh
  partition_by:
  where_filters: [{column: kind, values: [a]}]
  foreign_keys:
  - {column: company_id, references: company.id}`;

  test("reads an older file: ids of the source, keys as text or list, dataset as it is", async () => {
    await using registry = await memoryRegistry();
    await registry.import(parseDataDescription(older(olderTables), { path, source: "kbc" }));
    const [company, people] = await registry.list();
    expect(company).toMatchObject({
      id: "kbc.company",
      viewName: "company",
      sourceTable: "in.c-crm.company",
      bucket: "in.c-crm",
      dataset: "sales",
      primaryKey: ["id", "region"],
      syncStrategy: "incremental",
      incrementalWindowDays: 7,
      description: "Companies ``` and so on",
    });
    expect(people).toMatchObject({
      id: "kbc.people_2024",
      sourceTable: "in.c-crm.people",
      primaryKey: ["id"],
      whereFilters: [{ column: "kind", operator: "eq", values: ["a"] }],
      foreignKeys: [{ column: "company_id", references: "company.id" }],
    });
    expect(await registry.folders()).toEqual({ "in.c-crm": "crm" });
  });

  test("refuses an older file without a source", async () => {
    const error = await errorOf(() => parseDataDescription(older(olderTables), { path }));
    expect(error.code).toBe("table_field_missing");
    expect(error.message).toContain("--source");
  });

  test("joins several blocks and skips fences of other languages", async () => {
    const text = `${older("tables:\n- {id: a.b, name: b, source: a, source_table: b}")}\n\`\`\`sql\nselect 1\n\`\`\`\n${older("folder_mapping: {x: y}")}\n~~~yml\ntables:\n- {source: a, source_table: c}\n~~~\n`;
    const document = parseDataDescription(text, { path });
    expect([document.tables.length, document.folder_mapping]).toEqual([2, { x: "y" }]);
    expect(parseDataDescription(text.replaceAll("\n", "\r\n"), { path })).toEqual(document);
  });

  test("refuses an edited file unless edits are accepted", async () => {
    await using registry = await registryOf([{ sourceTable: "orders", description: "x" }]);
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

  test("refuses an invalid checksum, and accepts the one of the earlier system", async () => {
    const yaml = olderTables.trimStart();
    for (const [checksum, code] of [
      [`sha256:${createHash("sha256").update(`${yaml}\n`).digest("hex").slice(0, 16)}`, undefined],
      ["sha256:0123456789abcdef", "data_description_edited"],
      ["sha256:", "data_description_edited"],
      ["md5:0123456789abcdef", "data_description_edited"],
    ] as const) {
      const text = older(yaml, `<!-- checksum: ${checksum} -->\n`);
      const parse = () => parseDataDescription(text, { path, source: "kbc" });
      if (code === undefined) expect(parse().tables).toHaveLength(2);
      else expect((await errorOf(parse)).code).toBe(code);
    }
  });

  const refused: readonly (readonly [string, string, RegExp])[] = [
    [
      "a folder mapping that is text",
      "folder_mapping: hello\ntables: []",
      /should be an object, but is a string/,
    ],
    [
      "a folder mapping that is a list",
      "folder_mapping: [a]\ntables: []",
      /should be an object, but is a list/,
    ],
    [
      "a parent folder for any bucket",
      "folder_mapping: { constructor: ../x }\ntables: []",
      /folder_mapping of "constructor"/,
    ],
    [
      "someone who is not text",
      "tables:\n- { source: a, source_table: b, registered_by: { x: 1 } }",
      /tables\[0\]: registered_by should be text/,
    ],
    [
      "a time without its zone",
      "tables:\n- { source: a, source_table: b, registered_at: 2026-11-21T06:00:00 }",
      /tables\[0\]: registered_at should be a time/,
    ],
    [
      "an id of another source",
      "tables:\n- { id: c.b, source: a, source_table: b }",
      /tables\[0\]: id should begin with "a\."/,
    ],
    [
      "an id of another table",
      "tables:\n- { id: a.c, name: b, source: a, source_table: b }",
      /tables\[0\]: id should be "a\.b"/,
    ],
  ];
  for (const [title, body, message] of refused) {
    test(`refuses ${title}`, async () => {
      const error = await errorOf(() => parseDataDescription(older(body), { path }));
      expect(error.code).toBe("table_field_invalid");
      expect(error.message).toMatch(message);
    });
  }

  test("takes a missing name from the id", () => {
    const { tables } = parseDataDescription(older("tables:\n- { id: a.first, source: a, source_table: b }"), {
      path,
    });
    expect(tables).toEqual([{ source: "a", source_table: "b", name: "first" }]);
  });

  const malformed: readonly (readonly [string, string, RegExp])[] = [
    ["nothing", "", /no ```yaml block/],
    ["no block", "# Data Description\n", /no ```yaml block/],
    ["an unclosed block", "```yaml\ntables: []\n", /is not closed/],
    ["no tables", older("folder_mapping: {}"), /no list `tables:`/],
    ["tables that are no list", older("tables: {}"), /should be a list, but is an object/],
    ["text for a block", older("hello"), /should contain fields, but contains a string/],
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
