import assert from "node:assert/strict";

import type { Host } from "../../base/mod.ts";
import { spoolBytes } from "../../duckdb/mod.ts";
import { inferColumns } from "../../sources/mod.ts";
import {
  isDeletions,
  isFileChunk,
  isRows,
  type AnyConnector,
  type DuckDBEngine,
  type Row,
  type TableInfo,
} from "../../kit/mod.ts";

/** The number of row objects inspected to find the columns; the same as in a sync. */
const ROWS_LOOKED_AT = 8192;

/** Services for determining the columns of a table from a read. */
interface Reader {
  readonly connector: AnyConnector;
  readonly host: Host;
  readonly engine: DuckDBEngine;
  /** The folder of files during the inspection. */
  readonly scratch: string;
  readonly signal: AbortSignal;
}

/** Describes a table without declared columns by its first batch, like a sync. */
export async function describeByRead(
  { connector, host, engine, scratch, signal }: Reader,
  info: TableInfo,
): Promise<TableInfo> {
  const rows: Row[] = [];
  const described = (schema: TableInfo["schema"]): TableInfo => ({ ...info, schema });
  for await (const batch of connector.read!(info, { batchRows: ROWS_LOOKED_AT, signal })) {
    if (isDeletions(batch)) continue;
    if (isRows(batch)) {
      rows.push(...batch);
      if (rows.length >= ROWS_LOOKED_AT) break;
    } else if (rows.length > 0) {
      break;
    } else if (isFileChunk(batch)) {
      const { chunk } = await spoolBytes(host, batch, scratch, signal);
      const schema = await engine.describe(chunk, { signal });
      if (schema.fields.length > 0) return described(schema);
    } else {
      return described(batch.schema);
    }
  }
  const objects = rows.filter((row) => typeof row === "object" && row !== null);
  const schema = inferColumns(objects, new Map());
  assert.ok(
    schema.fields.length > 0,
    `read() of ${info.name} yields no rows, so its columns are unknown; describe the table under \`tables\`, or choose one with rows`,
  );
  return described(schema);
}
