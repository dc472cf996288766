import { AgnesError, atMost, isAgnesError, redactThrown, silentLog } from "../../base/mod.ts";
import { duckdbTypeOf } from "../../duckdb/mod.ts";
import { toSelectSql, type AnyPlugin, type Capability, type Filter, type TableInfo } from "../../kit/mod.ts";
import { sourceTableOf, type TableRecord, type TableRegistry } from "../../tables/mod.ts";
import type { SourceHandle } from "../connect.ts";
import { discoverTables } from "../discover.ts";
import { openSource, type SourceServices } from "../open.ts";
import { resultBatches } from "../read/result-batches.ts";
import { withTableCommand } from "../table-command.ts";
import { describeUnlisted } from "./describe-unlisted.ts";
import { callerOptions, type LiveRequest, type LiveResolver, type LiveTable } from "./live-table.ts";
import { BATCH_ROWS, checkResult, sourceBatches, type FileServices } from "./source-batches.ts";
import { wholeQueries } from "./whole-queries.ts";

/** Reads remote tables through the connectors of their sources, for queries. */
export interface LiveTables extends AsyncDisposable {
  readonly resolve: LiveResolver;
}

/** Connects to a source when one of its tables is first requested, and keeps the connection until disposal. */
export function openLiveTables(services: SourceServices, tables: () => Promise<TableRegistry>): LiveTables {
  const opened = new Map<string, Promise<OpenedSource>>();
  const closed = new AbortController();
  const open = (source: string) => {
    const known = opened.get(source);
    if (known !== undefined) return known;
    const opening = openWithTables(services, source, closed.signal);
    opened.set(source, opening);
    // An unreachable source may be reachable the next time.
    opening.catch(() => opened.delete(source));
    return opening;
  };
  return {
    async resolve({ source, name }) {
      const record = await (await tables()).get(`${source}.${name}`);
      if (record === null || !Object.hasOwn(services.workspace.config.sources, source)) return null;
      if (!canReadLive(services.plugins.get(services.workspace.config.sources[source]!.plugin))) return null;
      const isListOld = opened.has(source);
      const { handle, discovered } = await open(source);
      const { connector } = handle;
      const info =
        discovered === null
          ? await describeUnlisted(services, connector, record, closed.signal).catch((error: unknown) => {
              throw ownError(error, handle, record);
            })
          : (sourceTableOf(record, discovered) ??
            (isListOld
              ? sourceTableOf(record, await discoverTables(handle, { signal: closed.signal }))
              : undefined));
      if (info === undefined) throw vanishedTable(record);
      if (info.problem !== undefined) throw ownError(info.problem, handle, record);
      // If rows describe the table, only the registered columns are known, so unknown keys are not reported.
      const isNarrowed = discovered === null && record.columns !== null;
      const own = isNarrowed ? { ...services, log: silentLog } : services;
      const live = liveTableOf(own, handle, info, record);
      if (live === null) return null;
      const whole = wholeQueries(own, handle, info);
      return {
        ...live,
        open: (...request) => ownErrors(() => live.open(...request), handle, record),
        ...(whole === null ? {} : { whole }),
      };
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

function vanishedTable({ id, source, sourceTable, name }: TableRecord): AgnesError {
  return new AgnesError("table_vanished", { id, source, table: sourceTable ?? name, isRemote: true });
}

/** Returns whether the connectors of a plugin return rows without an attached database. */
export function canReadLive({ capabilities }: Pick<AnyPlugin, "capabilities">): boolean {
  return capabilities.includes("read") || capabilities.includes("query");
}

/** Returns an error of a table without secrets of its source, whose hint names the table. */
function ownError(error: unknown, { secrets, plugin }: SourceHandle, record: TableRecord): unknown {
  const clean = redactThrown(error, secrets);
  return isAgnesError(clean) ? withTableCommand(clean, record, plugin) : clean;
}

/** The rows of a table, with its errors. */
async function* ownErrors<T>(
  open: () => AsyncIterable<T>,
  handle: SourceHandle,
  record: TableRecord,
): AsyncGenerator<T, void, void> {
  try {
    yield* open();
  } catch (error) {
    throw ownError(error, handle, record);
  }
}

interface OpenedSource {
  readonly handle: SourceHandle;
  /** Null if its plugin cannot list its tables. */
  readonly discovered: readonly TableInfo[] | null;
}

/** The timeout for closing connectors. */
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

/** Uses `read`, or `query` if the connector has no `read` or the table supports only SQL. */
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
      // A connector may ignore conditions, so its limit would count rows that do not match.
      narrow: ({ limit, ...request }) =>
        request.filter.length > 0 || limit === undefined ? request : { ...request, limit },
      open({ columns, filter, limit }, signal, caller) {
        const selected = atLeastOne(columns, info);
        const limited = limit === undefined ? {} : { limit };
        const batches = connector.read!(info, {
          columns: selected,
          batchRows: BATCH_ROWS,
          signal,
          ...(filter.length === 0 ? {} : { filter }),
          ...limited,
          ...callerOptions(caller),
          ...(bucket === null ? {} : { bucket }),
        });
        return sourceBatches(services, batches, info, { id, columns: selected, ...limited }, signal);
      },
    };
  }
  return {
    ...common,
    narrow: (request) => (connector.selectSql === undefined ? narrowForAnyEngine(request, info) : request),
    async *open({ columns, filter, limit }, signal, caller) {
      const selected = atLeastOne(columns, info);
      const wanted = { columns: selected, filter, ...(limit === undefined ? {} : { limit }) };
      const sql = connector.selectSql?.(info, wanted) ?? toSelectSql(info.remotePath ?? [info.name], wanted);
      const result = await connector.query!(sql, { signal, ...callerOptions(caller) });
      checkResult(info.name, selected, result.schema);
      yield* sourceBatches(services, resultBatches(result, { signal }), info, { id, ...wanted }, signal);
    },
  };
}

/** Returns at least one column, because a query may need only the number of rows, but every SELECT needs a column. */
function atLeastOne(columns: readonly string[], { primaryKey, schema }: TableInfo): readonly string[] {
  return columns.length > 0 ? columns : [primaryKey[0] ?? schema.fields[0]!.name];
}

/**
 * Returns the part of a request for which each engine returns the same rows as DuckDB, or more. Engines differ in the
 * order of text, in case sensitivity and in the meaning of timestamps.
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
