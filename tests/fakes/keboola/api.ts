import { formatDate } from "./dates.ts";
import { describeBucket, describeTable, listTable, type DescribeContext } from "./describe.ts";
import { ApiError, denied, invalid } from "./errors.ts";
import { readExport, selectRows, writeSlices } from "./exports.ts";
import type { FileStorage } from "./files.ts";
import { readImport, runImport } from "./imports.ts";
import { describeJob, type JobQueue, type JobWork, type StorageJob } from "./jobs.ts";
import type { NewMetadata } from "./metadata.ts";
import {
  booleanOf,
  checkNames,
  listOf,
  numberOf,
  readForm,
  readParameters,
  textOf,
  type Parameters,
} from "./parameters.ts";
import { previewRows } from "./preview.ts";
import type { KeboolaScript } from "./script.ts";
import type { KeboolaStorage } from "./storage.ts";
import type { KeboolaTable, World } from "./table.ts";
import { authenticate, checkBucket, describeToken, type KeboolaToken } from "./tokens.ts";

/** The project behind the API. */
export interface ApiContext {
  readonly base: string;
  readonly script: KeboolaScript;
  readonly world: World;
  readonly tokens: readonly KeboolaToken[];
  /** The default branch is the first. */
  readonly branches: readonly KeboolaStorage[];
  readonly files: FileStorage;
  readonly jobs: JobQueue;
  /** Files of earlier exports, by what they hold. */
  readonly cached: Map<string, { readonly fileId: number; readonly createdAt: Date }>;
}

/** A request to the API. */
export interface ApiCall {
  readonly url: URL;
  readonly headers: Headers;
  readonly body: string;
  /** The parts of the path. */
  readonly parts: readonly string[];
  readonly token: KeboolaToken;
  readonly storage: KeboolaStorage;
  readonly context: ApiContext;
}

// Files live 15 days by default (blueprint, Group Files).
const FILE_MS = 15 * 86_400_000;

export function index({ base }: ApiContext): Response {
  const host = new URL(base).hostname;
  const service = (id: string) => ({ id, url: `https://${id}.${host.replace(/^connection\./, "")}` });
  return Response.json({
    host,
    api: "storage",
    version: "v2",
    revision: "fake",
    documentation: "https://keboola.docs.apiary.io/",
    components: [],
    services: ["import", "queue"].map(service),
    urlTemplates: {},
    features: [],
  });
}

export function verifyToken({ token, storage, context }: ApiCall): Response {
  const { base, script, files, world } = context;
  const { backend = "snowflake", jobsParallelism = 10 } = script;
  const provider = files.cloud.provider ?? "aws";
  const facts = { storage, base, backend, provider, jobsParallelism, now: world.now() };
  return Response.json(describeToken(token, facts));
}

export function listBranches({ context }: ApiCall): Response {
  return Response.json(
    context.branches.map(({ branch }) => ({
      id: branch.id,
      name: branch.name,
      description: "",
      created: formatDate(branch.created),
      isDefault: branch.isDefault,
      creatorToken: branch.isDefault ? [] : { id: 267, name: "dev@keboola.com" },
    })),
  );
}

export function listBuckets(call: ApiCall): Response {
  const { token, storage, url } = call;
  const includes = includesOf(url, "");
  const buckets = [...storage.buckets.values()].filter(
    ({ id }) => token.bucketPermissions === null || id in token.bucketPermissions,
  );
  return Response.json(
    buckets.map((bucket) => ({
      ...describeBucket(bucket, describing(call)),
      ...(includes.has("metadata") ? { metadata: bucket.metadata } : {}),
    })),
  );
}

export function bucketDetail(call: ApiCall): Response {
  const id = call.parts[0]!;
  checkBucket(call.token, id);
  const { metadata, ...bucket } = bucketOf(call, id);
  return Response.json({ ...describeBucket({ ...bucket, metadata }, describing(call)), metadata });
}

export function listTables(call: ApiCall): Response {
  // A token for some buckets may list them one by one only.
  if (call.token.bucketPermissions !== null) throw denied();
  const includes = includesOf(call.url, "metadata");
  const tables = [...call.storage.tables.values()];
  return Response.json(tables.map((table) => listTable(table, includes, describing(call))));
}

export function listBucketTables(call: ApiCall): Response {
  const id = call.parts[0]!;
  checkBucket(call.token, id);
  bucketOf(call, id);
  const includes = includesOf(call.url, "metadata");
  return Response.json(
    call.storage.tablesOf(id).map((table) => listTable(table, includes, describing(call))),
  );
}

export function tableDetail(call: ApiCall): Response {
  return Response.json(describeTable(tableOf(call), describing(call)));
}

export function previewTable(call: ApiCall): Response {
  const { script, world } = call.context;
  return previewRows(tableOf(call), readForm(call.url.searchParams), script, world);
}

export function startExport(call: ApiCall): Response {
  const { context, token, storage } = call;
  const { script, world, files, cached } = context;
  const table = tableOf(call);
  const asked = parametersOf(call);
  const request = readExport(asked, table, script, world.now());
  return startJob(call, {
    operationName: "tableExport",
    operationParams: {
      export: {
        tableName: null,
        columns: request.columns,
        limit: request.limit ?? null,
        changedSince: asked["changedSince"] ?? null,
        changedUntil: asked["changedUntil"] ?? null,
        gzipOutput: request.gzip,
        format: "rfc",
        whereFilters: request.filters,
        fileType: request.fileType,
        timezone: null,
      },
      queue: "main_fast",
    },
    tableId: table.id,
    async run() {
      const now = world.now();
      const what = [storage.branch.id, table.id, table.exportVersion, table.columns, request, token.id];
      const key = JSON.stringify(what);
      const old = cached.get(key);
      if (script.cache !== false && old !== undefined && now.getTime() - old.createdAt.getTime() < FILE_MS)
        return { cacheHit: true, file: { id: old.fileId } };
      const rows = selectRows(table, request, script, { now, random: world.random });
      const slices = await writeSlices(table, request, rows, script);
      const file = await files.store(table.id, request.fileType, slices, token.id);
      cached.set(key, { fileId: file.id, createdAt: now });
      return { cacheHit: false, file: { id: file.id } };
    },
  });
}

export async function pollJob(call: ApiCall): Promise<Response> {
  const job = await call.context.jobs.poll(Number(call.parts[0]));
  return Response.json(jobAnswer(call, job));
}

export function fileDetail(call: ApiCall): Response {
  const { files } = call.context;
  const file = files.find(Number(call.parts[0]), call.token);
  const federation = booleanOf(readForm(call.url.searchParams), "federationToken", false);
  return Response.json(files.describe(file, call.token, federation ? "download" : "none"));
}

export function refreshFile(call: ApiCall): Response {
  const { files } = call.context;
  return Response.json(files.refresh(files.find(Number(call.parts[0]), call.token), call.token));
}

export function prepareFile(call: ApiCall): Response {
  const { files } = call.context;
  const asked = parametersOf(call);
  checkNames(
    asked,
    [
      "name",
      "sizeBytes",
      "contentType",
      "isPermanent",
      "isPublic",
      "notify",
      "tags",
      "federationToken",
    ].concat(["isSliced", "isEncrypted"]),
  );
  const name = textOf(asked, "name");
  if (name === undefined) throw invalid("name: This value should not be blank.");
  if (!booleanOf(asked, "federationToken", false))
    throw invalid("federationToken: This value should be true.");
  const options = {
    isSliced: booleanOf(asked, "isSliced", false),
    tags: listOf(asked, "tags") ?? [],
    sizeBytes: numberOf(asked, "sizeBytes") ?? null,
  };
  const file = files.prepare(name, options, call.token.id);
  return Response.json(files.describe(file, call.token, "upload"), { status: 201 });
}

export function startImport(call: ApiCall): Response {
  const { context, token } = call;
  const table = tableOf(call, "write");
  if (table.source !== null) throw invalid(`Table "${table.id}" is an alias and cannot be imported into.`);
  const request = readImport(parametersOf(call));
  const file = context.files.find(request.dataFileId, token);
  return startJob(call, {
    operationName: "tableImport",
    operationParams: {
      params: {
        incremental: request.isIncremental,
        source: [],
        withoutHeaders: request.withoutHeaders,
        columns: request.columns ?? [],
        delimiter: request.delimiter,
        enclosure: request.enclosure,
      },
      source: { fileId: file.id, type: "file" },
      queue: "main_fast",
    },
    tableId: table.id,
    run: () => runImport(table, file, request, context),
  });
}

export function setTableMetadata(call: ApiCall): Response {
  const table = tableOf(call, "write");
  const asked = parametersOf(call);
  checkNames(asked, ["provider", "metadata", "columnsMetadata"]);
  const provider = providerOf(asked);
  const { metadata, columnsMetadata } = asked as { metadata?: unknown; columnsMetadata?: unknown };
  if (metadata === undefined && columnsMetadata === undefined)
    throw invalid("metadata: At least one of metadata and columnsMetadata is required.");
  const own = table.setMetadata(entriesOf(metadata, provider));
  const groups = columnsMetadata as Readonly<Record<string, readonly { columnName?: string }[]>> | undefined;
  const columns: Record<string, unknown> = {};
  for (const [index, entries] of Object.entries(groups ?? {})) {
    const name = entries[0]?.columnName ?? index;
    checkColumn(table, name);
    columns[name] = table.setColumnMetadata(name, entriesOf(entries, provider));
  }
  return Response.json({ metadata: own, columnsMetadata: columns }, { status: 201 });
}

export function columnMetadata(call: ApiCall): Response {
  const { table, column } = columnOf(call);
  return Response.json(table.columnMetadata.get(column) ?? []);
}

export function setColumnMetadata(call: ApiCall): Response {
  const { table, column } = columnOf(call, "write");
  const asked = parametersOf(call);
  checkNames(asked, ["provider", "metadata"]);
  const entries = entriesOf(asked["metadata"], providerOf(asked));
  return Response.json(table.setColumnMetadata(column, entries), { status: 201 });
}

/** Builds the call of a request with a token. @throws ApiError 401, or 404 for a branch that does not exist */
export function callOf(
  context: ApiContext,
  request: Pick<ApiCall, "url" | "headers" | "body" | "parts">,
  branch: string | undefined,
): ApiCall {
  const token = authenticate(request.headers, context.tokens, context.world.now());
  const [main] = context.branches;
  const isDefault = branch === undefined || branch === "default";
  const storage = isDefault ? main : context.branches.find((one) => String(one.branch.id) === branch);
  if (storage === undefined)
    throw new ApiError(404, "storage.branches.notFound", `Branch "${branch}" not found`);
  return { ...request, token, storage, context };
}

function startJob(call: ApiCall, work: JobWork): Response {
  const job = call.context.jobs.start(work, call.token.id);
  return Response.json(jobAnswer(call, job), { status: 202 });
}

function jobAnswer({ context, token }: ApiCall, job: StorageJob): Readonly<Record<string, unknown>> {
  const url = context.script.jobUrl?.(job.id) ?? `${context.base}/jobs/${job.id}`;
  return describeJob(job, url, token.description);
}

function parametersOf({ headers, body }: ApiCall): Parameters {
  return readParameters(headers, body);
}

function describing({ context, storage }: ApiCall): DescribeContext {
  return { base: context.base, storage };
}

function includesOf({ searchParams }: URL, fallback: string): ReadonlySet<string> {
  return new Set((searchParams.get("include") ?? fallback).split(",").filter((one) => one !== ""));
}

function bucketOf({ storage }: ApiCall, id: string) {
  const bucket = storage.buckets.get(id);
  if (bucket === undefined) throw new ApiError(404, "storage.buckets.notFound", `Bucket "${id}" not found`);
  return bucket;
}

function tableOf(call: ApiCall, need: "read" | "write" = "read"): KeboolaTable {
  const { token, storage, parts } = call;
  return findTable(storage, token, parts[0]!, need);
}

function findTable(
  storage: KeboolaStorage,
  token: KeboolaToken,
  id: string,
  need: "read" | "write",
): KeboolaTable {
  const bucketId = id.slice(0, id.lastIndexOf("."));
  checkBucket(token, bucketId, need);
  const table = storage.tables.get(id);
  if (table === undefined) {
    const message = `The table "${id.slice(bucketId.length + 1)}" was not found in the bucket "${bucketId}" in the project "${storage.project.id}"`;
    throw new ApiError(404, "storage.tables.notFound", message, { tableId: id });
  }
  return table;
}

/** The id of a column is that of its table, a dot and its name. */
function columnOf({ token, storage, parts }: ApiCall, need: "read" | "write" = "read") {
  const id = parts[0]!;
  const at = id.split(".").slice(0, 3).join(".").length;
  const [tableId, column] = [id.slice(0, at), id.slice(at + 1)];
  const table = findTable(storage, token, tableId, need);
  checkColumn(table, column);
  return { table, column };
}

function checkColumn(table: KeboolaTable, column: string): void {
  if (!table.columns.includes(column))
    throw new ApiError(
      404,
      "storage.columns.notFound",
      `Column "${column}" not found in table "${table.id}"`,
    );
}

function providerOf(asked: Parameters): string {
  const provider = textOf(asked, "provider");
  if (provider === undefined) throw invalid("provider: This value should not be blank.");
  return provider;
}

function entriesOf(value: unknown, provider: string): readonly NewMetadata[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalid("metadata: This value should be of type array.");
  return value.map((one: { readonly key?: unknown; readonly value?: unknown }) => {
    if (typeof one.key !== "string" || typeof one.value !== "string")
      throw invalid("metadata: key and value should be of type string.");
    return { key: one.key, value: one.value, provider };
  });
}
