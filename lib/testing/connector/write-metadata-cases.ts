import assert from "node:assert/strict";

import { duckdbTypeOf } from "../../duckdb/mod.ts";
import type { MetadataChange, TableInfo } from "../../kit/mod.ts";
import { discoverTables } from "../../sources/mod.ts";
import { able, namedTable, type Session } from "./session.ts";
import type { SourceCase } from "./source-case.ts";

/** Cases about descriptions and types that are written back. */
export const writeMetadataCases: readonly SourceCase[] = [
  {
    name: "writeMetadata() writes what discover() then returns, and nothing in a dry run",
    needs: ["discover", "write"],
    when: (config) => config.writeMetadata !== undefined,
    async run(session) {
      const { config, signal } = session;
      const { table, columns } = config.writeMetadata!;
      const write = able(session, "write").writeMetadata;
      assert.ok(write !== undefined, "the connector has no writeMetadata()");
      const before = await describe(session, table);
      const dry = await write(table, columns, { dryRun: true, signal });
      assert.deepEqual(await describe(session, table), before, "writeMetadata() writes in a dry run");
      const changes = await write(table, columns, { signal });
      assert.ok(changes !== null, `writeMetadata() does not know the table ${table}`);
      assert.deepEqual(dry, changes, "writeMetadata() reports other changes in a dry run");
      const after = await describe(session, table);
      for (const change of changes) checkChange(change, { before, after });
      const again = (await write(table, columns, { signal })) ?? [];
      const repeated = again.find(({ outcome }) => outcome === "written");
      assert.ok(
        repeated === undefined,
        `writeMetadata() writes the ${repeated?.part} of ${repeated?.column} again, which the source already has`,
      );
      const unknown = await write(`${table}-does-not-exist`, columns, { signal });
      assert.equal(unknown, null, "writeMetadata() accepts a table that does not exist");
    },
  },
];

type Columns = Readonly<Record<string, { readonly type: string; readonly description: string | null }>>;

async function describe({ handle, signal }: Session, name: string): Promise<Columns> {
  const { schema }: TableInfo = namedTable(await discoverTables(handle, { signal }), name);
  return Object.fromEntries(
    schema.fields.map((field) => [
      String(field.name),
      { type: duckdbTypeOf(field), description: field.metadata.get("description") ?? null },
    ]),
  );
}

function checkChange(
  { column, part, outcome, value }: MetadataChange,
  { before, after }: { readonly before: Columns; readonly after: Columns },
): void {
  const expected = outcome === "skipped" ? before[column]?.[part] : value;
  const found = after[column]?.[part];
  assert.equal(
    found,
    expected,
    `writeMetadata() reports the ${part} of ${column} as ${outcome}, and discover() then returns ${JSON.stringify(found ?? null)}`,
  );
}
