import type { Host } from "../base/mod.ts";
import { openCatalog, type Catalog, type CatalogServices } from "../catalog/mod.ts";
import type { RegisteredTable } from "../tables/mod.ts";
import { Records } from "./records.ts";
import type { Run, RunError } from "./runs/types.ts";

/** Only the last run of a table is needed; the registry has the audit trail. */
const KEPT_RUNS = 256;
/** The tables in one entry of the log. */
const ENTRY_TABLES = 1000;

interface StoredState {
  readonly source: string;
  readonly table: string;
  /** The start of the last successful sync; ISO 8601. */
  readonly succeededAt: string | null;
  /** Missing in the state of earlier versions, as are the fields below. */
  readonly attemptedAt?: string;
  readonly recordedAt?: string;
  readonly runId?: string | null;
  readonly failures?: number;
  readonly error?: RunError | null;
}

/** The last syncs of a table. */
export interface TableSyncState {
  /** The start of the last successful sync, also if there were no new rows. */
  readonly succeededAt: Date | null;
  /** The start of the last sync. */
  readonly attemptedAt: Date | null;
  /** When the last sync was recorded, after its end. */
  readonly recordedAt: Date | null;
  /** The run of the last sync; null if it could not begin, or an earlier version recorded it. */
  readonly runId: string | null;
  /** The number of failed syncs since the last successful one. */
  readonly failures: number;
  /** The error of the last sync; null if it succeeded. */
  readonly error: RunError | null;
}

/** The run of an attempt; its id is null if it could not begin. */
export interface AttemptingRun extends Pick<Run, "startedAt"> {
  readonly id: string | null;
}

/** What a run did with a table; `error` is null if it succeeded. */
export interface TableAttempt {
  readonly table: string;
  readonly error: RunError | null;
}

/** The last syncs of each table: when it was attempted, when it succeeded, and why it failed. */
export class SyncState extends Records<StoredState> {
  readonly #host: Pick<Host, "now">;

  private constructor(catalog: Catalog<StoredState>, host: Pick<Host, "now">) {
    super(catalog);
    this.#host = host;
  }

  static async open(services: CatalogServices): Promise<SyncState> {
    const keys = { rowKey: ["source", "table"], indexKeys: ["source"], keepEntries: KEPT_RUNS };
    const catalog = await openCatalog<StoredState>({ ...services, name: "sync", ...keys });
    return new SyncState(catalog, services.host);
  }

  /** The last syncs of each table of a source, by name. Tables that were never synced are missing. */
  async of(source: string): Promise<ReadonlyMap<string, TableSyncState>> {
    const found = await this.catalog.query({ source });
    return new Map(found.map(({ record }) => [record.table, stateOf(record)]));
  }

  /**
   * The last syncs of registered tables of a source, by name. What was recorded before a table was registered again does
   * not count.
   */
  async ofRegistered(
    source: string,
    tables: readonly Pick<RegisteredTable, "name" | "registeredAt">[],
  ): Promise<ReadonlyMap<string, TableSyncState>> {
    const states = await this.of(source);
    return new Map(
      tables.flatMap(({ name, registeredAt }) => {
        const state = states.get(name);
        const isOld = state === undefined || (state.recordedAt?.getTime() ?? 0) < Date.parse(registeredAt);
        return isOld ? [] : [[name, state] as const];
      }),
    );
  }

  /** The start of the last successful sync of each table of a source, by name. Other tables are missing. */
  async succeeded(source: string): Promise<ReadonlyMap<string, Date>> {
    const states = [...(await this.of(source))];
    return new Map(
      states.flatMap(([table, { succeededAt }]) =>
        succeededAt === null ? [] : [[table, succeededAt] as const],
      ),
    );
  }

  /** Records what a run of a source did with its tables. */
  async record(source: string, run: AttemptingRun, attempts: readonly TableAttempt[]): Promise<void> {
    const recordedAt = this.#host.now().toISOString();
    for (let at = 0; at < attempts.length; at += ENTRY_TABLES) {
      const some = attempts.slice(at, at + ENTRY_TABLES);
      await this.catalog.transact(async (view) =>
        Promise.all(
          some.map(async (attempt) => {
            const known = (await view.get([source, attempt.table]))?.record;
            return { kind: "put", record: nextState({ source, run, recordedAt }, attempt, known) } as const;
          }),
        ),
      );
    }
  }

  /** Removes a table, so that it counts as new when it is registered again. */
  async forget(source: string, table: string): Promise<void> {
    await this.catalog.delete([source, table]);
  }
}

function nextState(
  of: {
    readonly source: string;
    readonly run: AttemptingRun;
    readonly recordedAt: string;
  },
  { table, error }: TableAttempt,
  known: StoredState | undefined,
): StoredState {
  const { source, run, recordedAt } = of;
  return {
    source,
    table,
    succeededAt: error === null ? run.startedAt : (known?.succeededAt ?? null),
    attemptedAt: run.startedAt,
    recordedAt,
    runId: run.id,
    failures: error === null ? 0 : (known?.failures ?? 0) + 1,
    error,
  };
}

function stateOf(stored: StoredState): TableSyncState {
  const { succeededAt, attemptedAt = succeededAt, recordedAt = attemptedAt } = stored;
  return {
    succeededAt: dateOf(succeededAt),
    attemptedAt: dateOf(attemptedAt),
    recordedAt: dateOf(recordedAt),
    runId: stored.runId ?? null,
    failures: stored.failures ?? 0,
    error: stored.error ?? null,
  };
}

function dateOf(text: string | null): Date | null {
  return text === null ? null : new Date(text);
}
