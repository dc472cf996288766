import type { RecordBatch, Schema } from "apache-arrow";

import {
  AgnesError,
  atMost,
  redactThrown,
  formatValue,
  silentLog,
  type Host,
  type Log,
} from "../../base/mod.ts";
import {
  duckdbTypeOf,
  openDatabase,
  quoteIdentifier,
  openFile,
  readingOf,
  spoolBytes,
  type DuckDBLimits,
} from "../../duckdb/mod.ts";
import {
  createRowBuilder,
  isDeletions,
  isFileChunk,
  isRows,
  toSelectSql,
  type AnyPlugin,
  type Batch,
  type Capability,
  type Deletions,
  type FileChunk,
  type Filter,
  type TableInfo,
} from "../../kit/mod.ts";
import { sourceTableOf, type TableRecord, type TableRegistry } from "../../tables/mod.ts";
import type { SourceHandle } from "../connect.ts";
import { discoverTables } from "../discover.ts";
import { openSource, type SourceServices } from "../open.ts";
import { unknownKeyNote } from "../read/unknown-keys.ts";
import { answerBatches } from "../read/answer-batches.ts";
import { checkedBatches, describeUnlisted } from "./describe-unlisted.ts";
import type { LiveRequest, LiveResolver, LiveTable } from "./live-table.ts";

/** Reads remote tables through the connectors of their sources, for queries. */
export interface LiveTables extends AsyncDisposable {
  readonly resolve: LiveResolver;
}

/** Connects to a source when one of its tables is first asked for, and keeps the connection until disposed of. */
export function openLiveTables(services: SourceServices, tables: () => Promise<TableRegistry>): LiveTables {
  const opened = new Map<string, Promise<OpenedSource>>();
  const closed = new AbortController();
  const open = (source: string) => {
    const known = opened.get(source);
    if (known !== undefined) return known;
    const opening = openWithTables(services, source, closed.signal);
    opened.set(source, opening);
    // A source that could not be reached may be reached the next time.
    opening.catch(() => opened.delete(source));
    return opening;
  };
  return {
    async resolve({ source, name }) {
      const record = await (await tables()).get(`${source}.${name}`);
      if (record === null || !Object.hasOwn(services.workspace.config.sources, source)) return null;
      if (!canBeAsked(services.plugins.get(services.workspace.config.sources[source]!.plugin))) return null;
      const { handle, discovered } = await open(source);
      const info =
        discovered === null
          ? await describeUnlisted(services, handle.connector, record, closed.signal).catch(
              (error: unknown) => {
                throw redactThrown(error, handle.secrets);
              },
            )
          : sourceTableOf(record, discovered);
      if (info?.problem !== undefined) throw info.problem;
      // Of a table that is described by its rows only the registered columns are known.
      const isNarrowed = discovered === null && record.columns !== null;
      const own = isNarrowed ? { ...services, log: silentLog } : services;
      const live = info === undefined ? null : liveTableOf(own, handle, info, record);
      return live && { ...live, open: (...asked) => withoutSecrets(() => live.open(...asked), handle) };
    },
    async [Symbol.asyncDispose]() {
      const handles = [...opened.values()];
      opened.clear();
      closed.abort(new AgnesError("aborted", { what: "reading a live table" }));
      await atMost(
        Promise.allSettled(handles.map(async (one) => (await one).handle.close())),
        CLOSE_GRACE_MS,
      );
    },
  };
}

/** Whether the connectors of a plugin give rows without DuckDB attaching anything. */
export function canBeAsked({ capabilities }: Pick<AnyPlugin, "capabilities">): boolean {
  return capabilities.includes("read") || capabilities.includes("query");
}

/** What fails while the rows of a source are taken shows none of its secrets. */
async function* withoutSecrets<T>(
  open: () => AsyncIterable<T>,
  handle: Pick<SourceHandle, "secrets">,
): AsyncGenerator<T, void, void> {
  try {
    yield* open();
  } catch (error) {
    throw redactThrown(error, handle.secrets);
  }
}

interface OpenedSource {
  readonly handle: SourceHandle;
  /** Null when its plugin cannot list its tables. */
  readonly discovered: readonly TableInfo[] | null;
}

/** How long connectors may take to let go of what they hold. */
const CLOSE_GRACE_MS = 500;

async function openWithTables(
  services: SourceServices,
  source: string,
  signal: AbortSignal,
): Promise<OpenedSource> {
  const handle = await openSource(services, source, signal);
  try {
    const discovered =
      handle.connector.discover === undefined ? null : await discoverTables(handle, { signal });
    return { handle, discovered };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

const BATCH_ROWS = 8192;

/** Asks `read`; of a connector without one, or of a table that only answers SQL, `query`. */
function liveTableOf(
  services: FileServices,
  { connector }: SourceHandle,
  info: TableInfo,
  { id, bucket }: Pick<TableRecord, "id" | "bucket">,
): LiveTable | null {
  const can = (capability: Capability) => info.capabilities?.includes(capability) ?? true;
  const canRead = connector.read !== undefined && can("read");
  if (!canRead && (connector.query === undefined || !can("query"))) return null;
  const common = {
    schema: info.schema,
    ...(info.estimatedRows === undefined ? {} : { rows: info.estimatedRows }),
  };
  if (canRead) {
    return {
      ...common,
      // A connector may leave conditions to us, so it cannot count the rows that meet them.
      narrow: ({ limit, ...request }) =>
        request.filter.length > 0 || limit === undefined ? request : { ...request, limit },
      open({ columns, filter, limit }, signal) {
        const asked = atLeastOne(columns, info);
        const limited = limit === undefined ? {} : { limit };
        const batches = connector.read!(info, {
          columns: asked,
          batchRows: BATCH_ROWS,
          signal,
          ...(filter.length === 0 ? {} : { filter }),
          ...limited,
          ...(bucket === null ? {} : { bucket }),
        });
        return recordBatches(services, batches, info, { id, columns: asked, ...limited }, signal);
      },
    };
  }
  return {
    ...common,
    narrow: (request) => (connector.selectSql === undefined ? narrowForAnyEngine(request, info) : request),
    async *open({ columns, filter, limit }, signal) {
      const asked = atLeastOne(columns, info);
      const wanted = { columns: asked, filter, ...(limit === undefined ? {} : { limit }) };
      const sql = connector.selectSql?.(info, wanted) ?? toSelectSql(info.remotePath ?? [info.name], wanted);
      const answer = await connector.query!(sql, { signal });
      checkAnswer(info.name, asked, answer.schema);
      yield* recordBatches(services, answerBatches(answer, { signal }), info, { id, ...wanted }, signal);
    },
  };
}

/** Only the number of rows may be wanted, but a row has columns, and so has every SELECT. */
function atLeastOne(columns: readonly string[], { primaryKey, schema }: TableInfo): readonly string[] {
  return columns.length > 0 ? columns : [primaryKey[0] ?? schema.fields[0]!.name];
}

/**
 * What every engine answers as DuckDB does, or with more rows. Engines differ in the order of texts, in whether case
 * counts, and in what a moment means.
 */
function narrowForAnyEngine({ columns, filter, limit }: LiveRequest, { schema }: TableInfo): LiveRequest {
  const typeOf = new Map(schema.fields.map((field) => [field.name, duckdbTypeOf(field)]));
  const isText = ({ column }: Filter) => typeOf.get(column) === "VARCHAR";
  const kept = filter.filter((one) => {
    if (one.operator === "is_null" || one.operator === "is_not_null") return true;
    return isText(one) ? one.operator === "eq" : !typeOf.get(one.column)!.startsWith("TIMESTAMP");
  });
  const isExact = kept.length === filter.length && !kept.some((one) => isText(one) && one.values.length > 0);
  return { columns, filter: kept, ...(limit === undefined || !isExact ? {} : { limit }) };
}

/** Rows are taken apart by the names of columns, so a missing one would be null in all of them. */
function checkAnswer(table: string, asked: readonly string[], schema: Schema): void {
  const has = schema.fields.map(({ name }) => String(name));
  const missing = asked.filter((name) => !has.includes(name));
  if (missing.length === 0) return;
  const names = (list: readonly string[]) => list.map((name) => formatValue(name)).join(", ");
  const differences = [`the answer has no column ${names(missing)}, but ${names(has) || "none"}`];
  throw new AgnesError("batch_schema_mismatch", { table, batch: 1, differences });
}

interface FileServices {
  readonly host: Host;
  readonly log: Log;
  readonly limits: DuckDBLimits;
}

/** The rows of a read, those before its failure too; `limit` of them or more, when so few are wanted. */
async function* recordBatches(
  services: FileServices,
  batches: AsyncIterable<Batch | Deletions>,
  info: TableInfo,
  {
    id,
    columns,
    limit = Infinity,
  }: { readonly id: string; readonly columns: readonly string[]; readonly limit?: number },
  signal: AbortSignal,
): AsyncGenerator<RecordBatch, void, void> {
  const builder = createRowBuilder(info, { columns });
  let rows = 0;
  try {
    for await (const batch of checkedBatches(batches, info.name)) {
      // Rows that were given out already cannot be taken back.
      if (isDeletions(batch)) throw new AgnesError("deletions_in_live_read", { id, table: info.name });
      if (isRows(batch)) {
        rows += batch.length;
        yield* builder.append(batch);
      } else {
        yield* builder.finish();
        const found = isFileChunk(batch)
          ? rowsOfFile(services, batch, info.schema, columns, signal)
          : [batch];
        for await (const one of found) {
          rows += one.numRows;
          yield one;
        }
      }
      if (rows >= limit) break;
    }
    yield* builder.finish();
  } catch (error) {
    // A query with a LIMIT may be answered by the rows there are.
    yield* builder.finish();
    throw error;
  } finally {
    const note = unknownKeyNote(builder.unknownKeys);
    if (note !== null) services.log.warn(`table ${id}: ${note}`);
  }
}

/** The rows of a file chunk, in the types that the table declares. */
async function* rowsOfFile(
  services: FileServices,
  chunk: FileChunk,
  schema: Schema,
  columns: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<RecordBatch, void, void> {
  const directory = await services.host.files.makeTemporaryDirectory("agnes-live-");
  try {
    const spooled = await spoolBytes(services.host, chunk, directory, signal);
    await using database = await openDatabase({ limits: services.limits });
    await using connection = await database.connect();
    const types = Object.fromEntries(schema.fields.map((field) => [field.name, duckdbTypeOf(field)]));
    const reading = await readingOf(connection, spooled.chunk, { types, signal });
    if (reading === null) return;
    await using file = await openFile({ ...spooled.chunk, reading }, { connection, directory, signal });
    const present = new Map(file.present.map(({ name }) => [name.toLowerCase(), name]));
    const wanted = columns.map((name) => {
      const given = present.get(name.toLowerCase());
      const value = given === undefined ? "NULL" : quoteIdentifier(given);
      return `CAST(${value} AS ${types[name]!}) AS ${quoteIdentifier(name)}`;
    });
    const sql = `SELECT ${wanted.join(", ")} FROM (${file.select})`;
    const { batches } = await connection.stream(sql, { signal, batchRows: BATCH_ROWS });
    yield* batches;
  } finally {
    await services.host.files.removeDirectory(directory);
  }
}
