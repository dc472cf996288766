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

/** How many row objects are looked at to find their columns; as many as a sync looks at. */
const ROWS_LOOKED_AT = 8192;

/** What a read needs to tell the columns of its table. */
interface Reader {
  readonly connector: AnyConnector;
  readonly host: Host;
  readonly engine: DuckDBEngine;
  /** Where files lie while they are looked at. */
  readonly scratch: string;
  readonly signal: AbortSignal;
}

/** A table that nobody described, with the columns of its first batch, as a sync takes them. */
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
    `read() of ${info.name} yields no row, so its columns are not known; describe the table under \`tables\`, or name one that has rows`,
  );
  return described(schema);
}
