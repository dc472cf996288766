import type { RebuildOptions, RebuildReport } from "../analytics/mod.ts";
import type { MetadataRefresh, MetadataStatus, TableRefresh } from "../metadata/mod.ts";
import type { PluginRegistry } from "../plugins/mod.ts";
import type { ProfileOptions, TableProfile } from "../profile/mod.ts";
import type {
  AccessOptions,
  CheckedEntry,
  ConditionRequest,
  DescribeOptions,
  DocumentedTable,
  EncodedRequest,
  EncodedResult,
  QueryResult,
  SampleOptions,
  WorkerCounts,
} from "../query/mod.ts";
import type {
  RunHistory,
  SourceHealth,
  SyncOptions,
  SyncReport,
  SyncState,
  TableSyncStatus,
  Timeline,
  TimelineOptions,
} from "../sync/mod.ts";
import type { Connectors } from "../sources/mod.ts";
import type { TableRegistry } from "../tables/mod.ts";
import type { Workspace } from "../workspace/mod.ts";
import type { PushReport, PushRequest } from "../write-back/mod.ts";
import type { Subscriptions } from "./distribution/subscriptions.ts";

/** What the server needs of an open workspace; see `Agnes`. */
export interface ServedWorkspace {
  readonly workspace: Workspace;
  readonly plugins: PluginRegistry;
  readonly connectors: Connectors;
  readonly metadata: {
    refresh(options?: { readonly signal?: AbortSignal }): Promise<MetadataRefresh>;
    refreshTable(table: string): Promise<TableRefresh>;
    status(): Promise<MetadataStatus>;
    /** Changes with each change of the cache. */
    version(): Promise<number>;
  };
  readonly health: {
    last(): Promise<readonly SourceHealth[]>;
    failing(): Promise<ReadonlySet<string>>;
    check(signal: AbortSignal): Promise<void>;
  };
  tables(): Promise<TableRegistry>;
  subscriptions(): Promise<Subscriptions>;
  sync(options?: SyncOptions): Promise<SyncReport>;
  runs(): Promise<RunHistory>;
  syncState(): Promise<SyncState>;
  timeline(options?: TimelineOptions): Promise<Timeline>;
  syncStatus(options?: AccessOptions): Promise<readonly TableSyncStatus[]>;
  rebuild(options?: RebuildOptions): Promise<RebuildReport>;
  /** Runs a query and encodes its rows, in this process or in a worker, as the workspace was opened. */
  encodeQuery(request: EncodedRequest): Promise<EncodedResult>;
  /** Writes the rows of a query to a table of a source. */
  push(request: PushRequest): Promise<PushReport>;
  /** Returns SQL with a condition, which is checked where queries run. @throws `validator_rejected` */
  withCondition(request: ConditionRequest): Promise<string>;
  /** The worker processes of queries; null: queries run in this process. */
  workers(): WorkerCounts | null;
  catalog(options?: AccessOptions): Promise<readonly CheckedEntry[]>;
  describe(table: string, options?: DescribeOptions): Promise<DocumentedTable>;
  profile(table: string, options?: ProfileOptions): Promise<TableProfile>;
  sample(table: string, rows: number, options?: SampleOptions): Promise<QueryResult>;
}
