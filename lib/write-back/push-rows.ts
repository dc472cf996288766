import { AgnesError, formatValue, redactThrown } from "../base/mod.ts";
import type { TableInfo, WriteMode } from "../kit/mod.ts";
import type { AccessOptions, QueryParams, QueryRequest, QueryResult } from "../query/mod.ts";
import { openSource, type SourceHandle, type SourceServices } from "../sources/mod.ts";
import type { TableRegistry } from "../tables/mod.ts";
import { checkedBatches, type RowCount } from "./checked-batches.ts";
import { columnDifferences } from "./column-differences.ts";
import { describeTarget, findTarget } from "./find-target.ts";

/** Which rows to write back, and to which table. `access` and `principal` are for the SELECT, not for the table. */
export interface PushRequest extends AccessOptions {
  /** The id or view name of a registered table, or with `source` the name of any table in that source. */
  readonly table: string;
  /** The source of an unregistered table. Default: `table` is registered. */
  readonly source?: string;
  /** One SELECT over the published tables, whose columns are those of the table. */
  readonly sql: string;
  /** The values of the parameters of `sql`, as for `query`. Default: `sql` has no parameters. */
  readonly params?: QueryParams;
  /**
   * `append` adds the rows, `upsert` inserts or updates by the primary key, `replace` replaces all rows of the table. There
   * is no default.
   */
  readonly mode: WriteMode;
  /** Whether to run the query and all checks, and write nothing. Default: `false`. */
  readonly dryRun?: boolean;
  /** The timeout of the query, including the time in which the source accepts its rows. Default: 6 hours. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** What was written back, or in a dry run would be. */
export interface PushReport {
  readonly source: string;
  /** The name of the table in the source. */
  readonly table: string;
  readonly mode: WriteMode;
  readonly columns: readonly string[];
  readonly rows: number;
  readonly dryRun: boolean;
}

/** The services of `pushRows`. */
export interface WriteBackServices extends SourceServices {
  readonly tables: () => Promise<TableRegistry>;
  readonly query: (request: QueryRequest) => Promise<QueryResult>;
}

const MODES: readonly string[] = ["append", "upsert", "replace"];
const TIMEOUT_MS = 6 * 60 * 60_000;

/**
 * Writes the rows of a query to a table of a source. Everything that can be checked is checked before the first row is
 * written.
 *
 * @throws `invalid_input`, `source_unknown`, `table_not_registered`, `capability_missing`, `table_vanished`,
 * `write_refused`, `rows_lost`, and the errors of the query and of the plugin
 */
export async function pushRows(services: WriteBackServices, request: PushRequest): Promise<PushReport> {
  const { sql, mode, dryRun = false, timeoutMs = TIMEOUT_MS } = request;
  checkMode(mode);
  const { signal = new AbortController().signal } = request;
  const name = await findTarget(services, services.tables, request);
  await using handle = await openSource(services, name.source, signal);
  try {
    const target = await describeTarget(handle, name, { mode, signal });
    const { refuse, key } = keyOf(handle, target, mode);
    const { params, access, principal } = request;
    const result = await services.query({
      sql,
      limits: { timeoutMs },
      signal,
      ...(params !== undefined && { params }),
      ...(access !== undefined && { access }),
      ...(principal !== undefined && { principal }),
    });
    try {
      const differences = columnDifferences(result, target.schema);
      if (differences !== null) refuse(differences.reason, differences.advice);
      const columns = target.schema.fields.map((field) => String(field.name));
      const count: RowCount = { rows: 0, isComplete: false };
      const batches = checkedBatches(result.batches, { columns, key, count, refuse });
      if (dryRun) await checkRows(handle, target, batches, { mode, signal });
      else await writeRows(handle, target, batches, { mode, signal, count });
      return { source: handle.name, table: target.name, mode, columns, rows: count.rows, dryRun };
    } finally {
      await result.close();
    }
  } catch (error) {
    throw redactThrown(error, handle.secrets);
  }
}

async function checkRows(
  { connector }: SourceHandle,
  target: TableInfo,
  batches: ReturnType<typeof checkedBatches>,
  options: { readonly mode: WriteMode; readonly signal: AbortSignal },
): Promise<void> {
  if (connector.checkWrite === undefined) for await (const _ of batches);
  else await connector.checkWrite(target, batches, options);
}

async function writeRows(
  { name: source, connector }: SourceHandle,
  target: TableInfo,
  batches: ReturnType<typeof checkedBatches>,
  { count, ...options }: { readonly mode: WriteMode; readonly signal: AbortSignal; readonly count: RowCount },
): Promise<void> {
  const { rows: written } = await connector.write!(target, batches, options);
  if (count.isComplete && written === count.rows) return;
  const where = `source ${source}${count.isComplete ? "" : ", which did not read all rows,"}`;
  const details = { table: target.name, yielded: count.rows, written, where };
  throw new AgnesError("rows_lost", { ...details, isWriteBack: true });
}

/** The key that rows are checked by, and how a problem of the rows is thrown. */
function keyOf({ name: source }: SourceHandle, { name, primaryKey }: TableInfo, mode: WriteMode) {
  const refuse = (reason: string, advice: string): never => {
    throw new AgnesError("write_refused", { source, table: name, reason, advice });
  };
  if (mode === "upsert" && primaryKey.length === 0)
    refuse(
      "rows cannot be updated, because it has no primary key",
      "Set a primary key in the source, or use the mode `append` or `replace`.",
    );
  return { refuse, key: mode === "append" ? [] : primaryKey };
}

function checkMode(mode: unknown): void {
  if (MODES.includes(mode as string)) return;
  const reason = `${formatValue(mode)} is none of ${MODES.join(", ")}`;
  throw new AgnesError("invalid_input", { what: "the mode of a push", reason });
}
