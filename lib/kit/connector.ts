import type { RecordBatch, Schema } from "apache-arrow";

import type { Batch, Deletions, Filter, JsonValue, ReadEnd, ReadOptions, Row } from "./batch.ts";
import type { Capability } from "./capability.ts";
import type { TableMetadata } from "./metadata.ts";
import type { RemoteAttachInfo } from "./remote.ts";
import type { TableInfo } from "./table.ts";

/** Caps of one query; each one left out is up to who runs it. */
export interface QueryLimits {
  /** How many rows the answer may have. */
  readonly rows?: number;
  /** How many bytes the answer may have, each row as a line of JSON. */
  readonly sizeBytes?: number;
  /** From the call until the last row is read. */
  readonly timeoutMs?: number;
}

/** The answer of a source's own engine. */
export interface SourceAnswer {
  readonly schema: Schema;
  readonly batches: AsyncIterable<Batch>;
}

/** What is wanted of a live table; see `selectSql`. */
export interface SelectRequest {
  /** At least one. */
  readonly columns: readonly string[];
  /** Conditions, ANDed; may be empty. */
  readonly filter: readonly Filter[];
  /** No more rows are wanted, of those that meet the whole filter. Default: all. */
  readonly limit?: number;
}

/** What a query would cost; absent figures are unknown. */
export interface QueryEstimate {
  readonly rows?: number;
  readonly sizeBytes?: number;
}

/** A request that a source pushed, as it came. */
export interface PushRequest {
  readonly method: string;
  readonly url: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** The raw bytes, for checking a signature. */
  readonly body: Uint8Array;
}

/** One verified event; spooled to disk before it is acknowledged. */
export interface PushEvent {
  /** Unique for the source; a replay has the same. */
  readonly id: string;
  readonly body: JsonValue;
}

/** A change of one row. Rows are matched by the table's primary key. */
export type Change =
  | { readonly kind: "upsert"; readonly table: string; readonly row: Row }
  | { readonly kind: "delete"; readonly table: string; readonly key: Row };

/** How rows are pushed back. */
export interface WriteOptions {
  readonly mode: "append" | "upsert" | "replace";
  readonly signal: AbortSignal;
}

/** What one health check found. */
export interface Health {
  readonly ok: boolean;
  /** One sentence for a person; never a secret. */
  readonly message: string;
}

/** The methods that each capability asks for. */
export interface CapabilityMethods {
  discover: {
    /** Lists the tables of the source, at once or page by page. */
    discover(options: {
      readonly signal: AbortSignal;
    }): Promise<readonly TableInfo[]> | AsyncIterable<TableInfo | readonly TableInfo[]>;
  };
  read: {
    /** Reads a table in batches, and may say which keys are gone (`Deletions`); may return a `ReadEnd`. */
    read(table: TableInfo, options: ReadOptions): AsyncIterable<Batch | Deletions, ReadEnd | void>;
  };
  stream: {
    /** Checks a pushed request and gives its events; throws when it is not genuine. */
    verify(request: PushRequest): Promise<readonly PushEvent[]>;
    /** Turns events, in order, into changes of rows. */
    stream(
      events: AsyncIterable<PushEvent>,
      options: { readonly tables: readonly TableInfo[]; readonly signal: AbortSignal },
    ): AsyncIterable<Change>;
  };
  remote: {
    /** How DuckDB attaches the source. Does no I/O. */
    remote(): RemoteAttachInfo;
  };
  query: {
    /** Runs SQL in the source's engine. */
    query(
      sql: string,
      options: { readonly signal: AbortSignal; readonly limits?: QueryLimits },
    ): Promise<SourceAnswer>;
    /** What the SQL would cost, without running it. */
    estimate?(sql: string, options: { readonly signal: AbortSignal }): Promise<QueryEstimate>;
    /**
     * The SELECT of a live table's rows, in the SQL of the source. It may give rows that the filter does not want, and
     * must leave out none that it wants. Default: standard SQL over `TableInfo.remotePath`, with those conditions that
     * engines agree on.
     */
    selectSql?(table: TableInfo, wanted: SelectRequest): string;
  };
  metadata: {
    /** What the source knows of tables without reading them; a table it does not know is left out. */
    metadata(
      tables: readonly TableInfo[],
      options: { readonly signal: AbortSignal },
    ): Promise<readonly TableMetadata[]>;
  };
  write: {
    /** Pushes rows back; resolves to how many were taken. */
    write(
      table: TableInfo,
      batches: AsyncIterable<RecordBatch>,
      options: WriteOptions,
    ): Promise<{ readonly rows: number }>;
  };
}

/** What every connector may have. */
export interface CommonMethods {
  /**
   * Describes a table again whose values did not fit what `discover` said: looks at all of it. The runtime then reads
   * the table once more.
   *
   * With `keepKinds` the runtime rejects rows: columns only take wider types of their own kind, as
   * `InspectOptions.keepKinds` says, and what is of another kind is rejected. Default `false`.
   */
  redescribe?(
    table: TableInfo,
    options: { readonly signal: AbortSignal; readonly keepKinds?: boolean },
  ): Promise<TableInfo>;
  /** Whether the source can be reached with the secrets given. */
  health?(options: { readonly signal: AbortSignal }): Promise<Health>;
  /** Frees what `connect` opened. Called once at the end; calling it twice is fine. */
  close?(): Promise<void> | void;
}

type AllMethods = CapabilityMethods["discover"] &
  CapabilityMethods["read"] &
  CapabilityMethods["stream"] &
  CapabilityMethods["remote"] &
  CapabilityMethods["query"] &
  CapabilityMethods["metadata"] &
  CapabilityMethods["write"];

type MethodName<C extends Capability> = { [K in C]: keyof CapabilityMethods[K] }[C] & keyof AllMethods;

/** A connector with exactly the methods of its capabilities: a missing or undeclared one does not compile. */
// One conditional type, not an intersection: only so does the compiler give a method's parameters their types.
export type Connector<C extends Capability> = [C] extends [Capability]
  ? CommonMethods &
      Pick<AllMethods, MethodName<C>> & {
        readonly [Undeclared in Exclude<keyof AllMethods, MethodName<C>>]?: never;
      }
  : never;

/** A connector of which the capabilities are known only at run time. */
export type AnyConnector = Partial<AllMethods> & CommonMethods;

/** The methods a capability must have, by name. */
export const capabilityMethods: { readonly [C in Capability]: readonly (keyof AnyConnector)[] } = {
  discover: ["discover"],
  read: ["read"],
  stream: ["verify", "stream"],
  remote: ["remote"],
  query: ["query"],
  metadata: ["metadata"],
  write: ["write"],
};

/** Methods that belong to a capability but may be left out. */
export const optionalMethods: { readonly [C in Capability]?: readonly (keyof AnyConnector)[] } = {
  query: ["estimate", "selectSql"],
};
