/**
 * The calls of the plugin as an OpenAPI document: facts of the vendor's blueprint (apiary.apib, "Keboola Storage API"), stated by
 * hand, with the fields that the plugin reads. Objects of responses may have more fields, bodies of requests may not.
 *
 * Where recorded responses differ from the blueprint, both are stated: ids are numbers or texts, an empty map is an empty list.
 * The blueprint has no call below `/branch/{id}`; the vendor's clients insert it into the same paths.
 */

type Schema = Readonly<Record<string, unknown>>;

const text = { type: "string" };
const number = { type: "number" };
const boolean = { type: "boolean" };
const texts = { type: "array", items: text };
const id = { type: ["number", "string"] };
const date = { type: ["string", "null"], pattern: "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}[+-]\\d{4}$" };
const count = { type: ["number", "null"] };
const textOrNull = { type: ["string", "null"] };

/** An object with some required fields. */
const object = (required: Schema, optional: Schema = {}): Schema => ({
  type: "object",
  required: Object.keys(required),
  properties: { ...required, ...optional },
});
const closed = (required: Schema, optional: Schema = {}): Schema => ({
  ...object(required, optional),
  additionalProperties: false,
});
const list = (items: Schema): Schema => ({ type: "array", items });
/** PHP writes an empty map as an empty list. */
const mapOf = (values: Schema): Schema => ({
  anyOf: [
    { type: "object", additionalProperties: values },
    { type: "array", maxItems: 0 },
  ],
});
const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

const s3Credentials = object({
  AccessKeyId: text,
  SecretAccessKey: text,
  SessionToken: text,
  Expiration: text,
});
const absCredentials = object({ SASConnectionString: text, expiration: text });

const tableFacts = {
  uri: text,
  id: text,
  name: text,
  primaryKey: texts,
  created: date,
  lastImportDate: date,
  lastChangeDate: date,
  rowsCount: count,
  dataSizeBytes: count,
  isAlias: boolean,
  isTyped: boolean,
  timestampType: { enum: ["MANAGED", "NONE"] },
  tableType: text,
  path: text,
};
const bucketFacts = {
  uri: text,
  id: text,
  name: text,
  displayName: text,
  stage: { enum: ["in", "out", "sys"] },
  description: text,
  tables: text,
  backend: text,
};
const bucketExtra = {
  hasExternalSchema: boolean,
  sourceBucket: object({ id: text, project: object({ id, name: text }) }),
};
const entries = list(ref("MetadataEntry"));
const aliasFacts = {
  sourceTable: object(
    { id: text, project: object({ id, name: text }) },
    { metadata: entries, columnMetadata: mapOf(entries), definition: ref("Definition") },
  ),
  aliasColumnsAutoSync: boolean,
  aliasFilter: object({ column: text, operator: text, values: texts }),
};
const fileFacts = {
  id,
  created: date,
  isSliced: boolean,
  isEncrypted: boolean,
  name: text,
  url: text,
  region: text,
  sizeBytes: count,
  tags: texts,
  maxAgeDays: { type: ["number", "null"] },
  creatorToken: object({ id }),
};
const fileProvider = { enum: ["aws", "azure", "gcp"] };
const newEntry = closed({ key: text, value: text });

const schemas = {
  Error: object({ error: text, code: { type: ["number", "string"] } }, { exceptionId: text }),
  Token: object({
    id,
    description: text,
    expires: textOrNull,
    isMasterToken: boolean,
    canManageBuckets: boolean,
    canReadAllFileUploads: boolean,
    isExpired: boolean,
    isDisabled: boolean,
    bucketPermissions: mapOf({ enum: ["read", "write", "manage", "share"] }),
    owner: object({
      id,
      name: text,
      region: text,
      defaultBackend: text,
      hasBigquery: boolean,
      hasSnowflake: boolean,
      fileStorageProvider: fileProvider,
      isDisabled: boolean,
      limits: mapOf(object({ name: text, value: number })),
    }),
  }),
  Branch: object({ id, name: text, description: text, created: date, isDefault: boolean }),
  Bucket: object({ ...bucketFacts, isLinkedBucket: boolean, backendPath: texts }, bucketExtra),
  // That of a table has fewer properties.
  BucketOfTable: object(bucketFacts, { isLinkedBucket: boolean, backendPath: texts, ...bucketExtra }),
  MetadataEntry: object({ id, key: text, value: text, provider: text, timestamp: text }),
  Definition: object(
    {
      primaryKeysNames: texts,
      columns: list(
        object({
          name: text,
          definition: object(
            { type: text, nullable: boolean },
            { length: { type: ["number", "string", "null"] } },
          ),
          basetype: text,
          canBeFiltered: boolean,
        }),
      ),
    },
    { requirePartitionFilter: boolean, timePartitioning: object({ field: text }) },
  ),
  // The list of the tables of a bucket has no displayName.
  ListedTable: object(tableFacts, {
    displayName: text,
    ...aliasFacts,
    columns: texts,
    bucket: ref("BucketOfTable"),
    metadata: entries,
    columnMetadata: mapOf(entries),
  }),
  Table: object(
    {
      ...tableFacts,
      displayName: text,
      columns: texts,
      bucket: ref("BucketOfTable"),
      metadata: entries,
      columnMetadata: mapOf(entries),
    },
    { ...aliasFacts, definition: ref("Definition") },
  ),
  Job: object({
    id,
    status: { enum: ["waiting", "processing", "success", "error"] },
    url: text,
    tableId: textOrNull,
    operationName: text,
    operationParams: { type: "object" },
    createdTime: date,
    startTime: date,
    endTime: date,
    results: {
      anyOf: [
        { type: "null" },
        object({}, { file: object({ id }), cacheHit: boolean, importedRowsCount: number }),
      ],
    },
  }),
  // An example of the blueprint has no provider.
  File: object(fileFacts, {
    provider: fileProvider,
    s3Path: object({ bucket: text, key: text }),
    credentials: s3Credentials,
    absPath: object({ container: text, name: text }),
    absCredentials,
    gcsPath: object({ bucket: text, key: text }),
    gcsCredentials: object({ access_token: text, expires_in: number, token_type: text }),
  }),
  PreparedFile: {
    ...object(
      { ...fileFacts, provider: fileProvider },
      {
        uploadParams: object({ key: text, bucket: text, acl: text, credentials: s3Credentials }),
        absUploadParams: object({ blobName: text, accountName: text, container: text, absCredentials }),
        gcsUploadParams: object({
          projectId: text,
          bucket: text,
          key: text,
          access_token: text,
          expires_in: number,
          token_type: text,
        }),
      },
    ),
    anyOf: ["uploadParams", "absUploadParams", "gcsUploadParams"].map((name) => ({ required: [name] })),
  },
  WhereFilter: closed(
    { column: text, operator: { enum: ["eq", "ne", "gt", "ge", "lt", "le"] }, values: texts },
    {
      dataType: { enum: ["INTEGER", "DOUBLE", "BIGINT", "REAL", "DECIMAL"] },
      type: { enum: ["SCALAR", "TIME_STRING"] },
    },
  ),
  Export: closed(
    {},
    {
      limit: number,
      format: { enum: ["rfc", "json"] },
      changedSince: text,
      changedUntil: text,
      columns: text,
      whereFilters: list(ref("WhereFilter")),
      gzip: boolean,
      includeInternalTimestamp: boolean,
      fileType: { enum: ["csv", "parquet"] },
      timezone: text,
    },
  ),
  Import: closed(
    { dataFileId: number },
    {
      incremental: boolean,
      delimiter: text,
      enclosure: text,
      escapedBy: text,
      columns: texts,
      withoutHeaders: boolean,
      ignoredLinesCount: number,
    },
  ),
  Upload: closed(
    { name: text },
    {
      sizeBytes: number,
      contentType: text,
      isPermanent: boolean,
      notify: boolean,
      tags: texts,
      federationToken: boolean,
      isSliced: boolean,
      isEncrypted: boolean,
    },
  ),
  NewMetadata: {
    ...closed(
      { provider: text },
      {
        metadata: list(newEntry),
        // By number; names of columns are deprecated as keys.
        columnsMetadata: {
          type: "object",
          propertyNames: { pattern: "^\\d+$" },
          additionalProperties: list(closed({ columnName: text, key: text, value: text })),
        },
      },
    ),
    anyOf: ["metadata", "columnsMetadata"].map((name) => ({ required: [name] })),
  },
  TableMetadata: object({ metadata: entries, columnsMetadata: mapOf(entries) }),
};

const json = (schema: Schema): Schema => ({ content: { "application/json": { schema } } });
const parameter = (name: string, place: "path" | "query" | "header", schema: Schema): Schema => ({
  name,
  in: place,
  ...(place === "query" ? {} : { required: true }),
  schema,
});
const TOKEN = parameter("X-StorageApi-Token", "header", text);

/** One call: what it returns, and what it takes. */
function call(
  [status, response]: readonly [number, Schema | null],
  {
    path = [],
    query = {},
    body,
  }: { readonly path?: readonly string[]; readonly query?: Schema; readonly body?: Schema } = {},
): Schema {
  return {
    parameters: [
      TOKEN,
      ...path.map((name) => parameter(name, "path", text)),
      ...Object.entries(query).map(([name, schema]) => parameter(name, "query", schema as Schema)),
    ],
    ...(body === undefined ? {} : { requestBody: { required: true, ...json(body) } }),
    responses: {
      [status]: { description: "The result", ...(response === null ? {} : json(response)) },
      default: { description: "An error", ...json(ref("Error")) },
    },
  };
}

const INCLUDES =
  "columns|buckets|metadata|columnMetadata|sourceMetadata|sourceColumnMetadata|bucketsWithoutSourceTables";
const include = { type: "string", pattern: `^(${INCLUDES})(,(${INCLUDES}))*$` };
const table = { path: ["table_id"] };
const bucket = { path: ["bucket_id"] };
const file = { path: ["file_id"] };

/** The calls that the plugin makes. */
export const storageApi = {
  openapi: "3.1.0",
  info: { title: "Calls of the Storage API", version: "1" },
  paths: {
    "/v2/storage/tokens/verify": { get: call([200, ref("Token")]) },
    "/v2/storage/dev-branches/": { get: call([200, list(ref("Branch"))]) },
    "/v2/storage/buckets": { get: call([200, list(ref("Bucket"))]) },
    "/v2/storage/buckets/{bucket_id}": { get: call([200, ref("Bucket")], bucket) },
    "/v2/storage/buckets/{bucket_id}/tables": {
      get: call([200, list(ref("ListedTable"))], { ...bucket, query: { include } }),
    },
    "/v2/storage/tables": { get: call([200, list(ref("ListedTable"))], { query: { include } }) },
    "/v2/storage/tables/{table_id}": { get: call([200, ref("Table")], table) },
    "/v2/storage/tables/{table_id}/export-async": {
      post: call([202, ref("Job")], { ...table, body: ref("Export") }),
    },
    "/v2/storage/tables/{table_id}/import-async": {
      post: call([202, ref("Job")], { ...table, body: ref("Import") }),
    },
    "/v2/storage/tables/{table_id}/metadata": {
      post: call([201, ref("TableMetadata")], { ...table, body: ref("NewMetadata") }),
    },
    "/v2/storage/columns/{column_id}/metadata/{metadata_id}": {
      delete: call([204, null], { path: ["column_id", "metadata_id"] }),
    },
    "/v2/storage/jobs/{job_id}": { get: call([200, ref("Job")], { path: ["job_id"] }) },
    "/v2/storage/files/prepare": { post: call([201, ref("PreparedFile")], { body: ref("Upload") }) },
    "/v2/storage/files/{file_id}": {
      get: call([200, ref("File")], {
        ...file,
        // A boolean, as text of a query: the vendor's clients send 1.
        query: { federationToken: { enum: ["1", "true"] } },
      }),
    },
    "/v2/storage/files/{file_id}/refresh": { put: call([200, ref("PreparedFile")], file) },
  },
  components: { schemas },
};
