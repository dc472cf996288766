import type { Schema } from "apache-arrow";

import { AgnesError, formatValue, raceAbort, withTimeout, type Host, type Log } from "../../base/mod.ts";
import {
  openStream,
  quoteIdentifier,
  type Connection,
  type DuckDBLimits,
  type StreamSource,
} from "../../duckdb/mod.ts";
import { table, type QueryEstimate, type QueryParameter, type SourceResult } from "../../kit/mod.ts";
import { resultBatches, sourceBatches, type JobList, type SourceHandle } from "../../sources/mod.ts";
import type { Opening } from "../opening.ts";
import { aliasText } from "./alias-error.ts";
import type { Alias } from "./types.ts";

/** An alias whose query is ready to run. */
export interface ReadyAlias {
  readonly alias: Alias;
  readonly handle: SourceHandle;
  readonly parameters: Readonly<Record<string, QueryParameter>>;
  readonly estimate: QueryEstimate;
  /** The most bytes that it may scan. */
  limitBytes: number;
  /** Counts what was read. */
  readonly totals: { rows: number; sizeBytes: number; elapsedMs: number; ran: boolean };
  /** The jobs that the source reports. */
  readonly jobs: JobList;
}

/** Where the rows of an alias are stored. */
export interface AliasPlace {
  /** The database of the query. */
  readonly database: string;
  readonly connection: Connection;
  readonly services: { readonly host: Host; readonly log: Log; readonly limits: DuckDBLimits };
  /** Whether the query does not run, so that the table has no rows. */
  readonly isEmpty: boolean;
  readonly signal: AbortSignal;
  /** On whose behalf it runs. */
  readonly user: Opening["user"];
  /** Receives the running query of a connector, which may end after its caller stopped waiting for it. */
  readonly onStart: (running: Promise<unknown>) => void;
  /** Receives the jobs of the source. */
  readonly onJob: Opening["onJob"] | undefined;
}

/**
 * Runs the query of an alias and stores its rows as a table of a database.
 * @throws `alias_limit_exceeded`, `alias_refused`, `timed_out`, `aborted`, and the errors of the connector
 */
export async function loadAlias(ready: ReadyAlias, place: AliasPlace): Promise<void> {
  const { alias, totals } = ready;
  const { database, connection, services, isEmpty } = place;
  const startedMs = services.host.monotonicMs();
  using timer = withTimeout(aliasText(alias), alias.limits.timeoutMs, place.signal);
  const { signal } = timer;
  try {
    const result = isEmpty ? emptyResult(ready) : await run(ready, place, signal);
    checkColumns(alias, result.schema);
    const stream = openStream(connection, sourceOf(ready, result, services));
    try {
      const name = [database, "main", alias.name].map(quoteIdentifier).join(".");
      await connection.run(`CREATE TABLE ${name} AS SELECT * FROM ${stream.relation}`, { signal });
    } finally {
      stream.close();
    }
  } finally {
    totals.elapsedMs = Math.round(services.host.monotonicMs() - startedMs);
  }
}

/** Starts the query of an alias in its source. */
export async function run(
  { alias, handle, parameters, limitBytes, totals, jobs }: ReadyAlias,
  { user, onStart, onJob: onQueryJob }: Pick<AliasPlace, "user" | "onStart" | "onJob">,
  signal: AbortSignal,
): Promise<SourceResult> {
  // Not `maxRows`: a connector that cut off rows would hide that there are more. The signal includes the timeout.
  const limits = Number.isFinite(limitBytes) ? { maxScannedBytes: limitBytes } : {};
  totals.ran = true;
  const onJob: typeof jobs.onJob = (job) => {
    jobs.onJob(job);
    onQueryJob?.(job);
  };
  const own = user === undefined ? {} : { user };
  const running = handle.connector.query!(alias.sql, { signal, parameters, limits, onJob, ...own });
  onStart(running);
  return raceAbort(running, signal, aliasText(alias));
}

/** @throws `alias_refused` if the columns are not known before the query runs */
function emptyResult({ alias, estimate }: ReadyAlias): SourceResult {
  if (estimate.schema === undefined) {
    throw new AgnesError("alias_refused", {
      alias: alias.name,
      reason: `source ${alias.source} does not state the columns of a query without running it`,
      advice: "Select at least one key, and do not use EXPLAIN.",
    });
  }
  return { schema: estimate.schema, batches: (async function* () {})() };
}

/**
 * Checks the names of the columns of a result: rows are read by them, and DuckDB ignores case.
 * @throws `alias_refused`
 */
export function checkColumns({ name: alias }: Alias, { fields }: Schema): void {
  const before = new Set<string>();
  for (const { name } of fields) {
    const folded = name.toLowerCase();
    if (before.has(folded) || name === "") {
      const reason =
        name === "" ? "a column of its SQL has no name" : `its SQL has two columns ${formatValue(name)}`;
      throw new AgnesError("alias_refused", { alias, reason, advice: "Name each column with AS." });
    }
    before.add(folded);
  }
}

/** The rows of an alias, within its limits. */
export function sourceOf(
  { alias, totals }: ReadyAlias,
  result: SourceResult,
  services: AliasPlace["services"],
): StreamSource {
  const { schema } = result;
  const { name, source, limits } = alias;
  return {
    schema,
    async *open(columns, signal) {
      const batches = resultBatches(result, { signal });
      for await (const batch of sourceBatches(
        services,
        batches,
        table(name, schema),
        { id: name, columns },
        signal,
      )) {
        totals.rows += batch.numRows;
        totals.sizeBytes += batch.data.byteLength;
        const exceeded = exceededLimit(totals, limits);
        if (exceeded !== null)
          throw new AgnesError("alias_limit_exceeded", { alias: name, source, ...exceeded });
        yield batch;
      }
    },
  };
}

function exceededLimit(
  { rows, sizeBytes }: ReadyAlias["totals"],
  { maxRows, maxBytes }: Alias["limits"],
): { readonly limit: "rows" | "bytes"; readonly max: number } | null {
  if (rows > maxRows) return { limit: "rows", max: maxRows };
  return sizeBytes > maxBytes ? { limit: "bytes", max: maxBytes } : null;
}
