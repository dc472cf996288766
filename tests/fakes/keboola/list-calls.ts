import { tableOf, type ApiCall, type ApiContext } from "./api.ts";
import { formatDate } from "./dates.ts";
import { describeBucket, describeTable, listTable, type DescribeContext } from "./describe.ts";
import { ApiError, denied } from "./errors.ts";
import { readForm } from "./parameters.ts";
import { previewRows } from "./preview.ts";
import { checkBucket, describeToken } from "./tokens.ts";

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
    ({ id }) => token.canManageBuckets || token.bucketPermissions === null || id in token.bucketPermissions,
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
  const bucket = bucketOf(call, id);
  return Response.json({ ...describeBucket(bucket, describing(call)), metadata: bucket.metadata });
}

export function listTables(call: ApiCall): Response {
  // A token for some buckets may list them one by one only.
  if (!call.token.canManageBuckets) throw denied();
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

function describing({ context, storage }: ApiCall): DescribeContext {
  return { base: context.base, storage, answers: context.script.answers };
}

function includesOf({ searchParams }: URL, fallback: string): ReadonlySet<string> {
  return new Set((searchParams.get("include") ?? fallback).split(",").filter((one) => one !== ""));
}

function bucketOf({ storage }: ApiCall, id: string) {
  const bucket = storage.buckets.get(id);
  if (bucket === undefined) throw new ApiError(404, "storage.buckets.notFound", `Bucket "${id}" not found`);
  return bucket;
}
