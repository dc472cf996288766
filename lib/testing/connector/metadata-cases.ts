import assert from "node:assert/strict";

import { isDeletions, isFileChunk, isRows, type TableInfo, type TableMetadata } from "../../kit/mod.ts";
import { discoverTables } from "../../sources/mod.ts";
import type { SourceCase } from "./source-case.ts";
import { Workbench } from "./rows.ts";
import { able, beforeDeadline, type Session } from "./session.ts";

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
    name: "metadata() reports zero rows or bytes only for tables without rows",
    needs: ["discover", "metadata", "read"],
    async run(session) {
      const tables = await session.readTables();
      for (const one of await able(session, "metadata").metadata(tables, { signal: session.signal })) {
        const figure = one.rows === 0 ? "rows" : one.sizeBytes === 0 ? "bytes" : undefined;
        if (figure === undefined) continue;
        assert.ok(
          await isEmpty(
            session,
            tables.find(({ name }) => name === one.name)!,
          ),
          `metadata() reports 0 ${figure} of ${one.name}, but read() yields rows; omit a figure that is unknown`,
        );
      }
    },
  },
  {
    name: "metadata() stops within a second when it is aborted",
    needs: ["discover", "metadata"],
    async run(session) {
      const tables = await discoverTables(session.handle, { signal: session.signal });
      const controller = new AbortController();
      controller.abort();
      await beforeDeadline(
        1000,
        able(session, "metadata")
          .metadata(tables, { signal: controller.signal })
          .catch(() => {}),
        "metadata() continues for more than a second after the abort",
      );
    },
  },
];

/** Reads until the first row; the rows of files are counted. */
async function isEmpty(session: Session, table: TableInfo): Promise<boolean> {
  await using bench = await Workbench.open(session);
  let hasRows = false;
  const files = async function* () {
    for await (const batch of session.read(table)) {
      if (isDeletions(batch)) continue;
      if (isFileChunk(batch)) yield batch;
      else hasRows = (isRows(batch) ? batch.length : batch.numRows) > 0;
      if (hasRows) return;
    }
  };
  const counted = await bench.count(await bench.load(table, files()));
  return !hasRows && counted === 0;
}

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
