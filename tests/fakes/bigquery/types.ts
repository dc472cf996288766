/** A column of a table or result, as in `TableFieldSchema`. */
export interface FakeField {
  readonly name: string;
  readonly type: string;
  readonly mode?: string;
  readonly description?: string;
  readonly fields?: readonly FakeField[];
  readonly precision?: string;
  readonly scale?: string;
  readonly collation?: string;
  readonly policyTags?: { readonly names: readonly string[] };
  readonly timestampPrecision?: string;
  readonly rangeElementType?: { readonly type: string };
}

/** A value in a row of the REST API. */
export type FakeCell =
  string | null | readonly { readonly v: FakeCell }[] | { readonly f: readonly { readonly v: FakeCell }[] };

/** A named parameter of a query. */
export interface QueryParameter {
  readonly name: string;
  readonly parameterType: { readonly type: string; readonly arrayType?: { readonly type: string } };
  readonly parameterValue: {
    readonly value?: string;
    readonly arrayValues?: readonly { readonly value?: string }[];
  };
}

/** A table with its rows as cells; timestamps are microseconds. */
export interface FakeTable {
  /** Default: the project of the fake. Tables of another project are not listed. */
  readonly project?: string;
  readonly dataset: string;
  readonly id: string;
  readonly fields: readonly FakeField[];
  readonly rows?: readonly (readonly FakeCell[])[];
  /** A row access policy: the condition in DuckDB's SQL that rows must match for the account to see them. */
  readonly rowPolicy?: string;
  /** The partition time of each row in microseconds, for a table partitioned by the time of loading. */
  readonly partitionTimes?: readonly string[];
  /** The rows of INFORMATION_SCHEMA.PARTITIONS. Default: none. */
  readonly partitions?: readonly FakePartition[];
  /** Further properties of the `Table` resource. */
  readonly resource?: Readonly<Record<string, unknown>>;
}

/** A partition in INFORMATION_SCHEMA.PARTITIONS. */
export interface FakePartition {
  readonly id: string;
  /** Microseconds since 1970. */
  readonly modified: string | null;
  /** Default: 1. */
  readonly rows?: number;
  /** Default: 1000. */
  readonly bytes?: number;
}

/** A registered result of one SQL text, for SQL that DuckDB does not run. */
export interface FakeResult {
  readonly fields: readonly FakeField[];
  readonly rows: readonly (readonly FakeCell[])[];
}

/** An error as BigQuery reports it. */
export interface FakeError {
  readonly reason: string;
  readonly message: string;
  /** Of a rejected request. Default: 400. */
  readonly status?: number;
}

/** How the fake behaves. All can be changed between requests. */
export interface FakeScript {
  /** How many `jobs.get` state that a job still runs. */
  polls: number;
  /** How many `jobs.getQueryResults` have `jobComplete: false`. */
  incomplete: number;
  /** The maximum number of rows in a page, which stands for the limit of 10 MB. */
  pageRows: number;
  /** The maximum size of a page in bytes. Default: 10 MB, as BigQuery has it. */
  pageBytes: number;
  /** Whether results are kept, so that the same query bills nothing. Default: false. */
  hasCache: boolean;
  /** For how many requests a token is valid. Default: no limit. */
  tokenUses: number;
  /** The tables or datasets in a page of a list. */
  listRows: number;
  /** Whether the second page of a result is empty and has a token. */
  emptyPage: boolean;
  /** Errors of the next jobs, one each, in `status.errorResult`. */
  jobErrors: FakeError[];
  /** Errors next to a result, which are warnings. */
  warnings: FakeError[];
  /** Rejections of the next requests whose path contains the text. */
  rejections: { readonly path: string; readonly error: FakeError }[];
  /** Replaces statistics of a dry run; undefined removes one. */
  dryRun: Readonly<Record<string, unknown>>;
  /** Whether a row access policy hides the bytes. */
  hasRowPolicy: boolean;
  /** The time of new jobs. Default: the current time. */
  nowMs?: number;
  /** Locations that `datasets.list` could not reach. */
  unreachable: readonly string[];
}
