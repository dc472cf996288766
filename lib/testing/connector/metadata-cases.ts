import assert from "node:assert/strict";

import type { TableInfo, TableMetadata } from "../../kit/mod.ts";
import { discoverTables } from "../../sources/mod.ts";
import type { SourceCase } from "./source-case.ts";
import { able, within } from "./session.ts";

/** Cases about metadata of tables. */
export const metadataCases: readonly SourceCase[] = [
  {
    name: "metadata() describes the requested tables",
    needs: ["discover", "metadata"],
    async run(session) {
      const { handle, signal } = session;
      const tables = await discoverTables(handle, { signal });
      const stranger: TableInfo = {
        ...tables[0]!,
        name: "a_table_nobody_has",
        remotePath: ["a_table_nobody_has"],
      };
      const metadata = (asked: readonly TableInfo[]) => able(session, "metadata").metadata(asked, { signal });
      const found = await metadata([...tables, stranger]);
      assert.ok(found.length > 0, "metadata() describes none of the tables that discover() lists");
      checkAsked(found, tables);
      for (const one of found)
        checkColumns(
          one,
          tables.find(({ name }) => name === one.name)!,
        );
      const single = tables.find(({ name }) => name === found[0]!.name)!;
      const alone = await metadata([single]);
      checkAsked(alone, [single]);
      assert.equal(alone.length, 1, `metadata() describes ${single.name} only together with other tables`);
      checkAsked(await metadata([]), []);
    },
  },
  {
    name: "metadata() stops within a second when it is aborted",
    needs: ["discover", "metadata"],
    async run(session) {
      const tables = await discoverTables(session.handle, { signal: session.signal });
      const controller = new AbortController();
      controller.abort();
      await within(
        1000,
        able(session, "metadata")
          .metadata(tables, { signal: controller.signal })
          .catch(() => {}),
        "metadata() continues for more than a second after the abort",
      );
    },
  },
];

function checkAsked(found: readonly TableMetadata[], tables: readonly TableInfo[]): void {
  const asked = new Set(tables.map((table) => table.name));
  for (const { name } of found) {
    assert.ok(asked.delete(name), `metadata() describes ${name}, which was not requested or is a duplicate`);
  }
}

/** Checks that the columns, including those of partitions and clusters, are columns of the table. */
function checkColumns({ name, columns, partitionedBy, clusteredBy }: TableMetadata, table: TableInfo): void {
  const listed = table.schema.fields.map((field) => String(field.name));
  const known = new Set([...listed, ...(columns ?? []).map((column) => column.name)]);
  for (const column of [...(partitionedBy ?? []), ...(clusteredBy ?? [])]) {
    assert.ok(known.has(column), `${name} is partitioned or clustered by ${column}, which is not a column`);
  }
  if (columns === undefined) return;
  const described = new Set(columns.map((column) => column.name));
  const missing = listed.find((column) => !described.has(column));
  assert.ok(
    missing === undefined,
    `metadata() omits the column ${missing} of ${name}, which discover() lists`,
  );
}
