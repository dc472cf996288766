import type { RebuildReport } from "../analytics/mod.ts";
import type { Health, TableInfo } from "../kit/mod.ts";
import type { PluginRegistry } from "../plugins/mod.ts";
import type {
  AccessOptions,
  CheckedEntry,
  DocumentedTable,
  EncodedRequest,
  EncodedResult,
  QueryResult,
  WorkerCounts,
} from "../query/mod.ts";
import type { SourceHandle } from "../sources/mod.ts";
import type { TableRegistry } from "../tables/mod.ts";
import type { Workspace } from "../workspace/mod.ts";

/** What the server needs of an open workspace; see `Agnes`. */
export interface ServedWorkspace {
  readonly workspace: Workspace;
  readonly plugins: PluginRegistry;
  readonly connectors: {
    open(source: string, options?: { readonly signal?: AbortSignal }): Promise<SourceHandle>;
    discover(source: string, options?: { readonly signal?: AbortSignal }): Promise<readonly TableInfo[]>;
    health(source: string, options?: { readonly signal?: AbortSignal }): Promise<Health>;
  };
  tables(): Promise<TableRegistry>;
  rebuild(options?: { readonly signal?: AbortSignal }): Promise<RebuildReport>;
  /** Runs a query and encodes its rows, in this process or in a worker, as the workspace was opened. */
  encodeQuery(request: EncodedRequest): Promise<EncodedResult>;
  /** The worker processes of queries; null: queries run in this process. */
  workers(): WorkerCounts | null;
  catalog(options?: AccessOptions): Promise<readonly CheckedEntry[]>;
  describe(
    table: string,
    options?: AccessOptions & { readonly signal?: AbortSignal },
  ): Promise<DocumentedTable>;
  sample(
    table: string,
    rows: number,
    options?: AccessOptions & { readonly random?: boolean; readonly signal?: AbortSignal },
  ): Promise<QueryResult>;
}
