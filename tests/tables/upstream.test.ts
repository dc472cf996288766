import { describe, expect, test } from "bun:test";
import { parse } from "yaml";

import {
  parseDataDescription,
  parseRegistryJson,
  renderProjection,
  type TableRegistry,
} from "../../lib/tables/mod.ts";
import { renderDataDescription } from "../../lib/tables/projections/data-description.ts";
import { snapshotOf } from "../../lib/tables/projections/export.ts";
import { settings } from "./hostile-changes.ts";
import { errorOf, memoryRegistry } from "./registry-setup.ts";

// As the earlier system's library for YAML writes it: `1e3` and `0o17` are texts there, and need no quotes.
const yaml = `folder_mapping:
  in.c-crm: crm
tables:
- id: in.c-crm.company
  name: company
  description: 'Companies

    \`\`\`

    and so on'
  primary_key: id, region
  sync_strategy: incremental
  incremental_window_days: 7
  max_history_days: 365
  initial_load_chunk_days: 14
  foreign_keys:
  - column: owner
    references: people.id
  folder: crm/eu
  dataset: sales
- id: in.c-erp.company
  name: company
  description: 1e3
  primary_key:
  - id
  sync_strategy: full_refresh
  where_filters:
  - column: code
    operator: eq
    values:
    - 1e3
    - 0o17
    - 3
    - 'no'
    - true
- id: in.c-crm.People 2024
  name: Lidé
  description: ''
  primary_key: id
  sync_strategy: partitioned
  partition_by: day
  partition_granularity: month
`;
const fence = "```";
const markdown = `<!-- AUTO-GENERATED from table_registry.json -- do not edit manually -->
<!-- Use the admin UI at /admin/tables to manage table registrations -->
<!-- checksum: sha256:9d7f37ddc0018e92 -->

# Data Description

Generated at 2026-03-09T14:25:37.123456+00:00 from table registry (version 3, 3 tables).

${fence}yaml
${yaml}${fence}
`;
const options = { path: "data_description.md", source: "kbc" };

/** What the earlier registry keeps of a table. */
const stored = (fields: object) => ({
  id: "in.c-crm.orders",
  name: "orders",
  description: "",
  primary_key: "id",
  sync_strategy: "full_refresh",
  incremental_window_days: null,
  partition_by: null,
  partition_granularity: null,
  foreign_keys: [],
  where_filters: [],
  folder: null,
  dataset: null,
  initial_load_chunk_days: 30,
  registered_at: "2026-03-09T14:25:37.123456+00:00",
  registered_by: "ann@example.com",
  source_metadata: {},
  ...fields,
});
const registryJson = (tables: readonly object[], more: object = {}) =>
  JSON.stringify({
    _metadata: {
      version: 41,
      created_at: "2026-01-01T00:00:00+00:00",
      updated_at: "2026-03-09T14:25:37+00:00",
    },
    folder_mapping: { "in.c-crm": "crm" },
    tables,
    ...more,
  });

async function exported(registry: TableRegistry, source?: string) {
  const notes: string[] = [];
  let text = "";
  const options = { ...(source === undefined ? {} : { source }), onNote: (note: string) => notes.push(note) };
  for await (const piece of renderProjection(registry, "upstream", options)) text += piece;
  return { text, notes, content: parse(/```yaml\n(.*?)```/s.exec(text)![1]!, { version: "1.1" }) as unknown };
}

describe("parseDataDescription() of the earlier system", () => {
  test("reads its texts as the library that wrote them does", () => {
    const { tables } = parseDataDescription(markdown, options);
    expect(tables[1]).toMatchObject({
      description: "1e3",
      where_filters: [{ column: "code", operator: "eq", values: ["1e3", "0o17", 3, "no", true] }],
    });
  });

  test.each([
    ["017", 15],
    ["-0x1f", -31],
    ["1_000", 1000],
    ["1:30", 90],
    ["1.5e+3", 1500],
    ["1.5e3", "1.5e3"],
    [".5", 0.5],
    [".", "."],
    ["y", "y"],
    ["Off", false],
    ["2026-01-01", "2026-01-01"],
    ["08", "08"],
  ])("reads the value %s as %p", (written, value) => {
    const text = `${fence}yaml\ntables:\n- {id: a.b, name: b, where_filters: [{column: c, values: [${written}]}]}\n${fence}\n`;
    expect(parseDataDescription(text, options).tables[0]!.where_filters).toEqual([
      { column: "c", values: [value] },
    ] as never);
  });

  test("reads line separators as its library writes them, and refuses what it would read otherwise", async () => {
    const text = (description: string) =>
      `${fence}yaml\ntables:\n- id: a.b\n  name: b\n  description: '${description}'\n${fence}\n`;
    const { tables } = parseDataDescription(text("one\u2028    two"), options);
    expect(tables[0]!.description).toBe("one\u2028two");
    const error = await errorOf(() => parseDataDescription(text("one\u2028\n    two"), options));
    expect(error.message).toContain("U+2028");
  });

  test("derives and reports names for tables of one name in two buckets, and for those that are no names", async () => {
    await using registry = await memoryRegistry();
    await registry.register({ source: "erp", sourceTable: "x", name: "x", viewName: "in_c_erp_company" });
    const { tables } = await registry.import(parseDataDescription(markdown, options));
    expect(tables.map(({ id, viewName, notes }) => [id, viewName, notes])).toEqual([
      ["kbc.company", "company", []],
      [
        "kbc.in_c_erp_company",
        "kbc_in_c_erp_company",
        [
          "named in_c_erp_company, because another table of kbc has the name company",
          "its view is kbc_in_c_erp_company, because in_c_erp_company is the view of erp.x",
        ],
      ],
      ["kbc.lide", "lide", ['named lide, because "Lidé" is not a valid SQL name']],
    ]);
    expect(await registry.get("kbc.company")).toMatchObject({
      sourceTable: "in.c-crm.company",
      bucket: "in.c-crm",
      dataset: "sales",
      primaryKey: ["id", "region"],
    });
  });

  test("changes nothing when it is imported again, also in another order or with a view renamed since", async () => {
    await using registry = await memoryRegistry();
    const document = parseDataDescription(markdown, options);
    await registry.import(document);
    await registry.renameView("kbc.company", "firms");
    const before = await settings(registry);
    const again = await registry.import({ ...document, tables: [...document.tables].reverse() });
    expect(again.tables.map(({ kind }) => kind)).toEqual(["unchanged", "unchanged", "unchanged"]);
    expect(again.tables[2]!.notes).toEqual(["kbc.company keeps its view firms"]);
    expect(await settings(registry)).toEqual(before);
  });

  test("skips and reports YAML blocks with other content", () => {
    const text = `${markdown}\n${fence}yaml\nmetrics: [a]\n${fence}\n\n${fence}yml\nkey: {% if template %}\n${fence}\n
${fence.repeat(2)}markdown\n${fence}yaml\ntables: [{id: x.y, name: y}]\n${fence}\n${fence.repeat(2)}\n
${fence}yaml\ntables:\n- {id: in.c-crm.more, name: more}\n${fence}\n`;
    const { tables, notes } = parseDataDescription(text, { ...options, edited: true });
    expect(tables.map(({ source_table: id }) => id)).toEqual([
      "in.c-crm.company",
      "in.c-erp.company",
      "in.c-crm.People 2024",
      "in.c-crm.more",
    ]);
    expect(notes).toEqual([
      "the YAML block that starts on line 55 is skipped: it contains metrics",
      expect.stringMatching(
        /^the YAML block that starts on line 59 is skipped: it is not valid YAML/,
      ) as unknown as string,
    ]);
  });

  test("names the line of YAML that is broken, when it could hold tables", async () => {
    const text = `# x\n\n${fence}yaml\ntables:\n- id: [\n${fence}\n`;
    const error = await errorOf(() => parseDataDescription(text, options));
    expect(error.message).toMatch(/line [56]: /);
  });
});

describe("parseRegistryJson() of the earlier system", () => {
  test("keeps who and when, the folders, and what was noted of the source", async () => {
    const sourceMetadata = { rows: 12, columns: ["id"], nested: { deep: [null, { a: 1.5 }] } };
    await using registry = await memoryRegistry();
    const document = parseRegistryJson(
      registryJson([stored({ source_metadata: sourceMetadata, dataset: "sales" })]),
      {
        path: "table_registry.json",
        source: "kbc",
      },
    );
    const { notes } = await registry.import(document);
    expect(await registry.get("kbc.orders")).toMatchObject({
      sourceTable: "in.c-crm.orders",
      dataset: "sales",
      sourceMetadata,
      registeredBy: "ann@example.com",
      registeredAt: "2026-03-09T14:25:37.123Z",
    });
    expect(await registry.folders()).toEqual({ "in.c-crm": "crm" });
    expect(notes).toEqual([expect.stringMatching(/^_metadata is not kept.*version 41/) as unknown as string]);
    await using copy = await memoryRegistry();
    await copy.import(parseDataDescription(renderDataDescription(await snapshotOf(registry)), options));
    expect(await settings(copy)).toEqual(await settings(registry));
  });

  const refused: readonly (readonly [string, string, RegExp])[] = [
    ["an unknown field", registryJson([stored({ descripton: "x" })]), /"descripton"[^]*/],
    ["an unknown key of the file", registryJson([], { tabels: [] }), /unknown key "tabels"/],
    ["no id", registryJson([stored({ id: "" })]), /tables\[0\]: id is missing/],
    [
      "metadata that is a list",
      registryJson([stored({ source_metadata: [1] })]),
      /source_metadata should be/,
    ],
    [
      "a number that would be rounded",
      registryJson([stored({ source_metadata: { rows: 0 } })]).replace(
        '"rows":0',
        '"rows":12345678901234567891',
      ),
      /12345678901234567891 has more digits/,
    ],
  ];
  test.each(refused)("refuses %s", async (_title, text, message) => {
    await using registry = await memoryRegistry();
    const error = await errorOf(() =>
      registry.import(parseRegistryJson(text, { path: "table_registry.json", source: "kbc" })),
    );
    expect(error.message).toMatch(message);
    expect(await registry.list()).toEqual([]);
  });

  test("asks for the source of its tables", async () => {
    const error = await errorOf(() => parseRegistryJson(registryJson([stored({})]), "table_registry.json"));
    expect(error.message).toContain("--source");
  });
});

describe("TableRegistry.import() with skipInvalid", () => {
  test("imports what is valid, and lists every table and folder that is not", async () => {
    const tables = [
      stored({}),
      stored({ id: "in.c-crm.bad", name: "bad", sync_strategy: "partitioned" }),
      "x",
      stored({ id: "in.c-crm.worse", name: "worse", descripton: "x" }),
      stored({ id: "in.c-crm.orders", name: "twice" }),
    ] as readonly object[];
    const text = registryJson(tables, { folder_mapping: { "in.c-crm": "crm", "in.c-x": "../x" } });
    const path = "table_registry.json";
    await using registry = await memoryRegistry();
    const skipInvalid = true;
    const document = parseRegistryJson(text, { path, source: "kbc", skipInvalid });
    const refused = await errorOf(() => registry.import(document));
    expect(refused.code).toBe("table_import_refused");
    const outcome = await registry.import(document, { skipInvalid });
    expect(outcome.tables.map(({ kind, id }) => [kind, id])).toEqual([["registered", "kbc.orders"]]);
    expect(outcome.skipped.map(({ table, code }) => [table, code])).toEqual([
      ["tables[2]", "table_field_invalid"],
      ["folder_mapping of in.c-x", "table_field_invalid"],
      ["tables[1]", "table_contradiction"],
      ["tables[3]", "table_field_unknown"],
      ["tables[4]", "table_exists"],
    ]);
    expect(await registry.folders()).toEqual({ "in.c-crm": "crm" });
  });

  test("leaves out tables that keep their view names from each other, until none does", async () => {
    await using registry = await memoryRegistry();
    await registry.register({ source: "a", sourceTable: "one" });
    await registry.register({ source: "a", sourceTable: "two" });
    await registry.register({ source: "a", sourceTable: "free" });
    const tables = [
      { source: "a", source_table: "two", view_name: "one" },
      { source: "a", source_table: "free", view_name: "two" },
    ];
    const document = { path: "x", tables, folder_mapping: {} };
    const outcome = await registry.import(document, { skipInvalid: true });
    expect([outcome.tables, outcome.skipped.map(({ code }) => code)]).toEqual([
      [],
      ["table_view_taken", "table_view_taken"],
    ]);
    expect((await registry.list()).map(({ viewName: view }) => view)).toEqual(["free", "one", "two"]);
  });
});

describe("renderProjection() for the earlier system", () => {
  test("gives back what was imported, ids, keys as text and dataset included", async () => {
    await using registry = await memoryRegistry();
    await registry.import(parseDataDescription(markdown, options));
    const { text, notes, content } = await exported(registry);
    expect(notes).toEqual([]);
    const { folder_mapping, tables } = parse(yaml, { version: "1.1" }) as {
      folder_mapping: object;
      tables: readonly object[];
    };
    expect(content).toEqual({
      folder_mapping,
      tables: [
        tables[0],
        {
          ...tables[1],
          name: "in_c_erp_company",
          description: "1e3",
          primary_key: "id",
          where_filters: [{ column: "code", operator: "eq", values: ["1e3", "0o17", 3, "no", true] }],
        },
        { ...tables[2], name: "lide" },
      ],
    });
    await using copy = await memoryRegistry();
    await copy.import(parseDataDescription(text, options));
    expect(await settings(copy)).toEqual(await settings(registry));
  });

  test("reports fields that the earlier format does not have, and omits tables that it cannot represent", async () => {
    await using registry = await memoryRegistry();
    await registry.register({ source: "kbc", sourceTable: "orders", bucket: "in.c-crm", columns: ["id"] });
    await registry.register({ source: "kbc", sourceTable: "in.c-crm.live", queryMode: "remote" });
    await registry.register({
      source: "kbc",
      name: "sums",
      queryMode: "materialized",
      sourceQuery: "select 1",
    });
    const { notes, content } = await exported(registry);
    expect(content).toMatchObject({ tables: [{ id: "in.c-crm.orders" }] });
    expect(notes).toEqual([
      "kbc.live is left out: remote tables do not exist in that system",
      "kbc.orders has more than can be written there: columns",
      "kbc.sums is left out: materialized tables do not exist in that system",
    ]);
  });

  test("refuses several sources at once, and a key that text with commas cannot hold", async () => {
    await using registry = await memoryRegistry();
    await registry.register({ source: "a", sourceTable: "one", primaryKey: ["x,y"] });
    await registry.register({ source: "b", sourceTable: "two" });
    expect((await errorOf(() => exported(registry))).message).toContain("--source");
    expect((await errorOf(() => exported(registry, "a"))).message).toContain('"x,y"');
    expect((await exported(registry, "b")).content).toMatchObject({ tables: [{ id: "two" }] });
  });
});
