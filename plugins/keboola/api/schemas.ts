import type { JsonValue } from "agnes/kit";
import * as v from "valibot";

/** An id: a number or text, depending on the call. */
const id = v.pipe(v.union([v.string(), v.number()]), v.transform(String));

/** A number that may be null, missing, or text. */
const count = v.fallback(
  v.optional(
    v.nullable(
      v.pipe(
        v.union([v.number(), v.pipe(v.string(), v.regex(/^\d+$/), v.transform(Number))]),
        v.safeInteger(),
        v.minValue(0),
      ),
    ),
  ),
  null,
);

const text = v.fallback(v.optional(v.nullable(v.string())), null);

/**
 * An object, or an empty list: PHP does not distinguish an empty object from an empty list. Not `v.record`, which skips keys
 * that all objects inherit, such as a column `constructor`.
 */
const mapOf = <T>(item: v.GenericSchema<unknown, T>) =>
  v.fallback(
    v.optional(
      v.pipe(
        v.unknown(),
        v.rawTransform(({ dataset, addIssue, NEVER }): ReadonlyMap<string, T> => {
          const { value } = dataset;
          if (Array.isArray(value)) return new Map();
          const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
          const items = entries.map(([key, one]) => [key, v.safeParse(item, one)] as const);
          if (value !== null && typeof value === "object" && items.every(([, { success }]) => success))
            return new Map(items.map(([key, { output }]) => [key, output as T]));
          addIssue({ message: "is not a map" });
          return NEVER;
        }),
      ),
    ),
    undefined,
  );

const metadataEntry = v.object({
  id: v.optional(id),
  key: v.string(),
  value: v.optional(
    v.pipe(
      v.nullable(v.union([v.string(), v.number(), v.boolean()])),
      v.transform((value) => (value === null ? "" : String(value))),
    ),
    "",
  ),
  provider: v.optional(v.string(), ""),
  timestamp: v.optional(v.nullable(v.string())),
});
/** One entry of metadata, written by a provider. */
export type MetadataEntry = v.InferOutput<typeof metadataEntry>;

const metadata = v.fallback(v.optional(v.array(metadataEntry)), undefined);
const columnMetadata = mapOf(v.array(metadataEntry));

/** The response to new metadata of columns: all that each of them has. */
export const setMetadataSchema = v.object({ columnsMetadata: columnMetadata });

const definition = v.object({
  columns: v.array(
    v.object({
      name: v.string(),
      definition: v.optional(
        v.object({
          type: v.string(),
          length: v.optional(v.nullable(v.union([v.string(), v.number()]))),
          nullable: v.optional(v.nullable(v.boolean())),
        }),
      ),
      basetype: v.optional(v.nullable(v.string())),
      canBeFiltered: v.optional(v.boolean()),
    }),
  ),
  requirePartitionFilter: v.optional(v.nullable(v.boolean())),
  timePartitioning: v.optional(v.nullable(v.object({ field: v.optional(v.nullable(v.string())) }))),
  clustering: v.optional(v.nullable(v.object({ fields: v.optional(v.array(v.string())) }))),
});
/** The native types of a typed table. */
export type Definition = v.InferOutput<typeof definition>;

const project = v.object({ id, name: v.optional(v.string(), "") });

/** A bucket, in a list or in a table. */
export const bucketSchema = v.object({
  id: v.string(),
  displayName: text,
  description: text,
  stage: text,
  backend: text,
  hasExternalSchema: v.optional(v.nullable(v.boolean())),
  isLinkedBucket: v.optional(v.nullable(v.boolean())),
  sourceBucket: v.optional(v.nullable(v.object({ id: v.string(), project: v.optional(project) }))),
});
export type Bucket = v.InferOutput<typeof bucketSchema>;

/** Whether there is no filter: none, or an empty list, as PHP writes an empty object. */
const isEmpty = (filter: unknown): boolean =>
  typeof filter !== "object" || filter === null || Object.keys(filter).length === 0;

/** A table, in a list or alone; only the latter has `definition`. */
export const tableSchema = v.object({
  id: v.string(),
  name: v.string(),
  displayName: text,
  primaryKey: v.optional(v.array(v.string()), []),
  columns: v.optional(v.array(v.string()), []),
  created: text,
  lastImportDate: text,
  lastChangeDate: text,
  rowsCount: count,
  dataSizeBytes: count,
  isAlias: v.optional(v.nullable(v.boolean())),
  isTyped: v.optional(v.nullable(v.boolean())),
  timestampType: text,
  tableType: text,
  aliasFilter: v.pipe(
    v.optional(v.unknown(), null),
    v.transform((filter) => (isEmpty(filter) ? null : (filter as JsonValue))),
  ),
  aliasColumnsAutoSync: v.optional(v.nullable(v.boolean())),
  metadata,
  columnMetadata,
  definition: v.optional(v.nullable(definition)),
  sourceTable: v.optional(
    v.nullable(
      v.object({
        id: v.string(),
        project: v.optional(project),
        metadata,
        columnMetadata,
        definition: v.optional(v.nullable(definition)),
      }),
    ),
  ),
  bucket: v.optional(v.nullable(bucketSchema)),
});
export type StorageTable = v.InferOutput<typeof tableSchema>;

/** A branch of a list. */
export const branchSchema = v.object({ id, name: v.optional(v.string(), "") });

const limit = v.object({ value: v.union([v.number(), v.string()]) });

/** The response to the verification of a token. */
export const tokenSchema = v.object({
  id,
  description: text,
  expires: text,
  isExpired: v.optional(v.nullable(v.boolean())),
  isDisabled: v.optional(v.nullable(v.boolean())),
  canManageBuckets: v.fallback(v.optional(v.nullable(v.boolean())), null),
  bucketPermissions: mapOf(v.unknown()),
  owner: v.object({
    id,
    name: v.optional(v.string(), ""),
    region: text,
    defaultBackend: text,
    isDisabled: v.optional(v.nullable(v.boolean())),
    limits: mapOf(limit),
  }),
});
export type Token = v.InferOutput<typeof tokenSchema>;

const jobError = v.union([v.string(), v.object({ code: text, message: text, exceptionId: text })]);

/** A job of the storage. */
export const jobSchema = v.object({
  id,
  status: v.string(),
  url: text,
  createdTime: text,
  results: v.fallback(
    v.optional(
      v.nullable(
        v.object({
          file: v.optional(v.object({ id })),
          cacheHit: v.optional(v.boolean()),
          importedRowsCount: count,
        }),
      ),
    ),
    null,
  ),
  error: v.fallback(v.optional(v.nullable(jobError)), null),
});
export type Job = v.InferOutput<typeof jobSchema>;

const s3Credentials = v.object({
  AccessKeyId: v.string(),
  SecretAccessKey: v.string(),
  SessionToken: v.optional(v.string()),
  Expiration: v.optional(v.string()),
});
const absCredentials = v.object({ SASConnectionString: v.string(), expiration: v.optional(v.string()) });

/** A file of the file storage, with the credentials to download it. */
export const fileSchema = v.object({
  id,
  url: v.string(),
  isSliced: v.optional(v.nullable(v.boolean()), false),
  provider: text,
  region: text,
  s3Path: v.optional(v.nullable(v.object({ bucket: v.string(), key: v.string() }))),
  credentials: v.optional(v.nullable(s3Credentials)),
  absPath: v.optional(v.nullable(v.object({ container: v.string(), name: v.string() }))),
  absCredentials: v.optional(v.nullable(absCredentials)),
  gcsPath: v.optional(v.nullable(v.object({ bucket: v.string(), key: v.string() }))),
  gcsCredentials: v.optional(
    v.nullable(v.object({ access_token: v.string(), expires_in: v.optional(v.number()) })),
  ),
});
export type StorageFile = v.InferOutput<typeof fileSchema>;

/** A file that is to be uploaded, with the credentials for it. */
export const preparedFileSchema = v.object({
  id,
  region: text,
  uploadParams: v.optional(
    v.nullable(v.object({ bucket: v.string(), key: v.string(), credentials: s3Credentials })),
  ),
  absUploadParams: v.optional(
    v.nullable(
      v.object({ container: v.string(), blobName: v.string(), accountName: v.string(), absCredentials }),
    ),
  ),
  gcsUploadParams: v.optional(
    v.nullable(v.object({ bucket: v.string(), key: v.string(), access_token: v.string() })),
  ),
});
export type PreparedFile = v.InferOutput<typeof preparedFileSchema>;

/** The list of the slices of a file. */
export const manifestSchema = v.object({ entries: v.array(v.object({ url: v.string() })) });
