import * as v from "valibot";

/** A number that JSON holds as text. */
const count = v.pipe(
  v.union([v.number(), v.pipe(v.string(), v.regex(/^\d+$/), v.transform(Number))]),
  v.safeInteger(),
);
const text = v.optional(v.string());

/** An error of a response or a job; `reason` is its stable code. */
const errorProto = v.object({ reason: text, message: v.optional(v.string(), ""), location: text });
export type ErrorProto = v.InferOutput<typeof errorProto>;

/** The body of a response with an error. */
export const errorBodySchema = v.object({
  error: v.object({
    code: v.optional(v.number()),
    message: v.optional(v.string(), ""),
    status: text,
    errors: v.optional(v.array(errorProto), []),
  }),
});
export type ErrorBody = v.InferOutput<typeof errorBodySchema>;

/** A column or a field of a record. */
export interface Field {
  readonly name: string;
  readonly type: string;
  readonly mode?: string | undefined;
  readonly description?: string | undefined;
  readonly fields?: readonly Field[] | undefined;
  readonly precision?: number | undefined;
  readonly scale?: number | undefined;
  readonly maxLength?: number | undefined;
  readonly collation?: string | undefined;
  readonly timestampPrecision?: number | undefined;
  readonly rangeElementType?: { readonly type: string } | undefined;
  readonly policyTags?: { readonly names: readonly string[] } | undefined;
}

const field: v.GenericSchema<unknown, Field> = v.object({
  name: v.string(),
  type: v.string(),
  mode: text,
  description: text,
  fields: v.optional(v.array(v.lazy(() => field))),
  precision: v.optional(count),
  scale: v.optional(count),
  maxLength: v.optional(count),
  collation: text,
  timestampPrecision: v.optional(count),
  rangeElementType: v.optional(v.object({ type: v.string() })),
  policyTags: v.optional(v.object({ names: v.optional(v.array(v.string()), []) })),
});

const tableSchemaOf = v.object({ fields: v.optional(v.array(field), []) });

const tableReference = v.object({ projectId: v.string(), datasetId: v.string(), tableId: v.string() });

/** A page of `datasets.list`. */
export const datasetListSchema = v.object({
  nextPageToken: text,
  unreachable: v.optional(v.array(v.string()), []),
  datasets: v.optional(
    v.array(
      v.object({
        datasetReference: v.object({ projectId: v.string(), datasetId: v.string() }),
        location: text,
      }),
    ),
    [],
  ),
});

/** A page of `tables.list`, which has no columns. */
export const tableListSchema = v.object({
  nextPageToken: text,
  tables: v.optional(v.array(v.object({ tableReference, type: text })), []),
});

/** A table of `tables.get`. */
export const tableSchema = v.object({
  tableReference,
  type: v.optional(v.string(), "TABLE"),
  location: text,
  description: text,
  friendlyName: text,
  schema: v.optional(tableSchemaOf, { fields: [] }),
  numRows: v.optional(count),
  numBytes: v.optional(count),
  creationTime: v.optional(count),
  lastModifiedTime: v.optional(count),
  requirePartitionFilter: v.optional(v.boolean(), false),
  // Only whether there is one matters: its rows are not in `numRows`.
  streamingBuffer: v.optional(v.unknown()),
  cloneDefinition: v.optional(v.unknown()),
  timePartitioning: v.optional(
    v.object({ type: text, field: text, requirePartitionFilter: v.optional(v.boolean(), false) }),
  ),
  rangePartitioning: v.optional(v.object({ field: v.string() })),
  clustering: v.optional(v.object({ fields: v.optional(v.array(v.string()), []) })),
  tableConstraints: v.optional(
    v.object({ primaryKey: v.optional(v.object({ columns: v.optional(v.array(v.string()), []) })) }),
  ),
});
export type BigQueryTable = v.InferOutput<typeof tableSchema>;

/** A dataset of `datasets.get`. */
export const datasetSchema = v.object({ location: text });

const statistics = v.object({
  creationTime: v.optional(count),
  totalBytesProcessed: v.optional(count),
  totalSlotMs: v.optional(count),
  rowLevelSecurityStatistics: v.optional(v.object({ rowLevelSecurityApplied: v.optional(v.boolean()) })),
  query: v.optional(
    v.object({
      statementType: text,
      totalBytesProcessed: v.optional(count),
      totalBytesProcessedAccuracy: text,
      totalBytesBilled: v.optional(count),
      cacheHit: v.optional(v.boolean()),
      referencedTables: v.optional(v.array(tableReference), []),
      // Only whether there are any matters: a function may read tables.
      referencedRoutines: v.optional(v.array(v.unknown()), []),
      schema: v.optional(tableSchemaOf),
    }),
  ),
});

/** A page of `jobs.list`. */
export const jobListSchema = v.object({
  nextPageToken: text,
  unreachable: v.optional(v.array(v.string()), []),
  jobs: v.optional(
    v.array(
      v.object({
        state: text,
        errorResult: v.optional(errorProto),
        configuration: v.optional(
          v.object({
            labels: v.optional(v.record(v.string(), v.string()), {}),
            query: v.optional(v.object({ maximumBytesBilled: v.optional(count) })),
          }),
          {},
        ),
        statistics: v.optional(statistics, {}),
      }),
    ),
    [],
  ),
});

export type ListedJob = v.InferOutput<typeof jobListSchema>["jobs"][number];

/** A job. Only `status.errorResult` means that it failed; `errors` are also warnings. */
export const jobSchema = v.object({
  // A table that BigQuery deletes after a day, if the query names none.
  configuration: v.optional(
    v.object({ query: v.optional(v.object({ destinationTable: v.optional(tableReference) })) }),
  ),
  jobReference: v.optional(v.object({ projectId: text, jobId: text, location: text }), {}),
  status: v.optional(v.object({ state: text, errorResult: v.optional(errorProto) }), {}),
  statistics: v.optional(statistics, {}),
});
export type Job = v.InferOutput<typeof jobSchema>;

/** A value of a row: text, a list of `{v}`, a record `{f}`, or null. */
export type Cell =
  string | null | readonly { readonly v: Cell }[] | { readonly f: readonly { readonly v: Cell }[] };

/** A page of `jobs.getQueryResults`. Rows are checked when they are decoded. */
export const resultPageSchema = v.object({
  jobComplete: v.optional(v.boolean(), true),
  pageToken: text,
  totalRows: v.optional(count),
  schema: v.optional(tableSchemaOf),
  rows: v.optional(
    v.array(v.object({ f: v.array(v.custom<{ readonly v: Cell }>((one) => one !== null)) })),
    [],
  ),
});
export type ResultPage = v.InferOutput<typeof resultPageSchema>;
