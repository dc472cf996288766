import { resolve } from "node:path";

import { isAgnesError, randomId, redactThrown, type AgnesError } from "../base/mod.ts";
import { acquireLock, openDatabase } from "../duckdb/mod.ts";
import type { Change, Row } from "../kit/mod.ts";
import { checkSecrets } from "./check-secrets.ts";
import {
  findTable,
  type ExtractState,
  type PublishedTable,
  type SchemaChange,
} from "./format/extract-state.ts";
import { lockPath } from "./format/paths.ts";
import { definitionOf } from "./job/definition.ts";
import { applyChanges, type AppliedChanges } from "./merge/apply-changes.ts";
import { checkedChanges, withinParents } from "./merge/checked-changes.ts";
import { lastChanges } from "./merge/last-changes.ts";
import { rankChanges } from "./merge/rank-changes.ts";
import { checkPlan, type TablePlan } from "./job/plan.ts";
import { isPushedOnly } from "./job/pushed-only.ts";
import { publish } from "./publish/publish.ts";
import { sweepPublished, sweepTemporary } from "./publish/sweep.ts";
import { PART_ROWS, type ExtractRun, type TableJob } from "./job/job.ts";
import type { ExtractServices, ExtractSource } from "./job/services.ts";
import { schemaOfChanges } from "./read/first-batch.ts";
import { readExtract } from "./state/read-extract.ts";
import { layoutOf } from "./table-layout.ts";
import { nulledOf } from "./job/nulled-values.ts";
import { quarantineNotes, quarantineOf } from "./write/quarantine.ts";

/** The extract to change. */
export interface ChangeRequest {
  /** The folder of the extract. Created if it is missing. */
  readonly directory: string;
  readonly source: ExtractSource;
  /** The id of the run. Default: a random one for each publish. */
  readonly runId?: string | undefined;
  /** Target number of rows in a part. Default: 250,000. */
  readonly partRows?: number | undefined;
  readonly signal: AbortSignal;
}

/** Row changes by table. */
interface RowChanges {
  /** Each table needs a primary key. The last of several changes of one row wins. */
  readonly tables: readonly { readonly plan: TablePlan; readonly changes: readonly Change[] }[];
  /** The ids of the merged events, oldest first. Published with the rows. */
  readonly eventIds: readonly string[];
}

/** A table after its changes were merged. */
export interface ChangedTable extends AppliedChanges {
  readonly schemaChanges: readonly SchemaChange[];
  /** Notes for the owner: rejected rows, and values that were set to null. */
  readonly notes: readonly string[];
}

/** The result of row changes: either all tables are published or none. */
export type ChangedTables =
  | { readonly kind: "published"; readonly generation: number; readonly tables: readonly ChangedTable[] }
  | { readonly kind: "failed"; readonly table: string; readonly error: AgnesError };

/** An extract under an exclusive lock. */
export interface ChangingExtract {
  /** The absolute path of its folder. */
  readonly directory: string;
  readonly read: () => Promise<ExtractState | null>;
  /** Merges changes into the state that was read and publishes the result as the next generation. */
  readonly publish: (previous: ExtractState | null, changes: RowChanges) => Promise<ChangedTables>;
}

/**
 * Locks an extract while `work` publishes row changes, and then removes superseded parts.
 * @throws `locked`, `extract_unreadable`, `aborted`
 */
export async function changeExtract<T>(
  services: ExtractServices,
  request: ChangeRequest,
  work: (extract: ChangingExtract) => Promise<T>,
): Promise<T> {
  const directory = resolve(request.directory);
  await services.host.files.makeDirectory(directory);
  await using _lock = await acquireLock(
    services.host.files,
    lockPath(directory),
    `the extract of source ${request.source.name}`,
  );
  await sweepTemporary(services.host, directory);
  await using database = await openDatabase({ files: services.host.files, limits: services.limits });
  let published: ExtractState | null = null;
  const result = await work({
    directory,
    read: () => readExtract(services.host.files, directory),
    publish: async (previous, changes) => {
      const { source, partRows = PART_ROWS, signal } = request;
      const run: ExtractRun = {
        id: request.runId ?? randomId(services.host),
        services,
        database,
        directory,
        source,
        generation: (numberOf(previous) ?? 0) + 1,
        idleTimeoutMs: Number.MAX_SAFE_INTEGER,
        materializeTimeoutMs: Number.MAX_SAFE_INTEGER,
        partRows,
      };
      const generation = new NextGeneration(run, previous, signal);
      const merged = await generation.merge(changes.tables);
      if (merged.kind === "failed") return merged;
      const state = generation.stateOf(merged.tables, changes.eventIds);
      const verify = new Set(merged.tables.map(({ table }) => table.name));
      await publish(services, database, state, { previous: numberOf(previous), verify, signal });
      published = state;
      return { ...merged, generation: run.generation };
    },
  });
  if (published !== null) await sweepPublished(services, published);
  return result;
}

type MergedTables =
  | Extract<ChangedTables, { kind: "failed" }>
  | Omit<Extract<ChangedTables, { kind: "published" }>, "generation">;

/** The generation that comes after `previous`. */
class NextGeneration {
  readonly #run: ExtractRun;
  readonly #previous: ExtractState | null;
  readonly #signal: AbortSignal;
  readonly #startedAt: Date;

  constructor(run: ExtractRun, previous: ExtractState | null, signal: AbortSignal) {
    this.#run = run;
    this.#previous = previous;
    this.#signal = signal;
    this.#startedAt = run.services.host.now();
  }

  /** Writes the parts of all tables. Stops at the first table that cannot apply its changes. */
  async merge(changes: RowChanges["tables"]): Promise<MergedTables> {
    const { source } = this.#run;
    const tables: ChangedTable[] = [];
    for (const { plan, changes: list } of changes) {
      try {
        tables.push(await this.#changeTable(plan, list));
      } catch (thrown) {
        const error = redactThrown(thrown, source.secrets ?? []);
        if (!isAgnesError(error) || this.#signal.aborted) throw error;
        // Publishing the other tables would remember the events as merged.
        return { kind: "failed", table: plan.name, error };
      }
    }
    return { kind: "published", tables };
  }

  stateOf(changed: readonly ChangedTable[], eventIds: readonly string[]): ExtractState {
    const { id: runId, services, directory, source, generation: number } = this.#run;
    const previous = this.#previous;
    const names = new Set(changed.map(({ table }) => table.name.toLowerCase()));
    const others = (previous?.tables ?? []).filter((table) => !names.has(table.name.toLowerCase()));
    return {
      directory,
      generation: {
        number,
        runId,
        kind: "stream",
        plugin: source.plugin.name,
        pluginVersion: source.plugin.version,
        startedAt: this.#startedAt,
        finishedAt: services.host.now(),
        directory,
      },
      tables: [...others, ...changed.map(({ table }) => table)].sort((a, b) => (a.name < b.name ? -1 : 1)),
      remotes: previous?.remotes ?? [],
      eventIds,
    };
  }

  async #changeTable(requested: TablePlan, changes: readonly Change[]): Promise<ChangedTable> {
    const { problem, hasBadRows = false } = requested.info;
    if (problem !== undefined && !(requested.quarantine && hasBadRows)) throw problem;
    const described = await this.#describe(this.#jobOf(requested), changes);
    checkPlan(described.plan);
    const { job, schemaChanges } = withLayout(described);
    const { plan } = job;
    const quarantine = quarantineOf(job);
    try {
      const checked = checkedChanges(plan, changes, quarantine);
      const order = await rankChanges(job, checked);
      const accepted = withinParents(plan, checked, order, quarantine);
      const applied = await applyChanges(job, lastChanges(accepted, plan, order), quarantine);
      checkSecrets(applied.table, this.#run.source);
      const nulled = job.nulled?.notes ?? [];
      for (const note of nulled) this.#run.services.log.warn(note, { table: plan.name });
      const notes = [...quarantineNotes(quarantine), ...nulled];
      return { ...applied, schemaChanges, notes };
    } finally {
      await quarantine?.finish();
    }
  }

  #jobOf(plan: TablePlan): TableJob {
    return {
      run: this.#run,
      plan,
      original: plan,
      previous: findTable(this.#previous, plan.name),
      full: false,
      ...nulledOf(plan),
      progress: { read: () => {}, readBytes: () => {}, report: () => {}, phase: () => {}, window: () => {} },
      onJob: () => {},
      signal: this.#signal,
    };
  }

  /** Adds the columns of a table whose plugin does not describe it: the published ones, and those of its rows. */
  async #describe(job: TableJob, changes: readonly Change[]): Promise<TableJob> {
    const { plan } = job;
    if (plan.columnsFrom !== "read") return job;
    // The next read of a table that can be read finds new columns itself.
    const isOnly = isPushedOnly(this.#run.source.connector, plan);
    const schema = await schemaOfChanges(job, isOnly ? rowsOf(changes) : []);
    return { ...job, plan: { ...plan, columnsFrom: "discover", info: { ...plan.info, schema } } };
  }
}

/**
 * Adopts changes of the schema of a table whose rows come from events alone. In other tables, the next read does it: it
 * yields the rows of the events again, because events do not move its cursor.
 * @throws `schema_frozen`, `schema_change_unsafe`
 */
function withLayout(job: TableJob): {
  readonly job: TableJob;
  readonly schemaChanges: readonly SchemaChange[];
} {
  const { previous, plan, original } = job;
  if (previous === undefined || !isPushedOnly(job.run.source.connector, plan))
    return { job, schemaChanges: [] };
  const { columns, sourceColumns, schemas, changes } = layoutOf(job, {
    kind: "delta",
    accept: false,
    notes: [],
  });
  const { description } = plan;
  const table: PublishedTable = {
    ...previous,
    description,
    columns,
    sourceColumns,
    schemas,
    definition: definitionOf(original),
  };
  return { job: { ...job, previous: table }, schemaChanges: changes };
}

function rowsOf(changes: readonly Change[]): readonly Row[] {
  return changes.flatMap((change) =>
    change.kind === "upsert" ? [change.row] : change.kind === "replace" ? change.rows : [],
  );
}

function numberOf(state: ExtractState | null): number | null {
  return state?.generation.number ?? null;
}
