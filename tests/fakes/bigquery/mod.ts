import { fakeServer, type FakeRequest, type FakeRoute, type FakeServer } from "agnes/testing";

import { discoveryReport } from "./discovery.ts";
import { FakeJobs, type JobBody } from "./jobs.ts";
import { failure } from "./responses.ts";
import { FakeSignIn } from "./sign-in.ts";
import { Rows } from "./tables.ts";
import type { FakeResult, FakeScript, FakeTable } from "./types.ts";

export type { FakeCell, FakeField, FakeResult, FakeScript, FakeTable } from "./types.ts";

/** What a fake BigQuery has. */
export interface FakeBigQueryOptions {
  /** Default: `shop-1`. */
  readonly project?: string;
  readonly tables: readonly FakeTable[];
  /** The locations of datasets. Default: europe-west3. */
  readonly locations?: Readonly<Record<string, string>>;
  /** Where the service is. Default: https://bigquery.googleapis.com. */
  readonly endpoint?: string;
  readonly script?: Partial<FakeScript>;
}

/** A fake BigQuery, with its jobs and tokens. */
export interface FakeBigQuery extends FakeServer, AsyncDisposable {
  readonly project: string;
  readonly script: FakeScript;
  readonly signIn: FakeSignIn;
  /** The bodies of `jobs.insert`, dry runs included. */
  readonly inserted: readonly JobBody[];
  readonly cancelled: readonly string[];
  /** Results of SQL that DuckDB does not run. */
  readonly results: Map<string, FakeResult>;
  /** The rows of the table with the result of a job, for `fakeStorage`. */
  readonly resultTable: (dataset: string, table: string) => FakeResult | undefined;
}

const report = discoveryReport();

/** A route whose exchanges are compared with the discovery document, if there is one. */
const reported =
  (route: FakeRoute): FakeRoute =>
  async (request) => {
    const response = await route(request);
    const { method, url, body } = request;
    const { status } = response;
    report?.({ method, url, body, response: { status, body: await response.clone().text() } });
    return response;
  };

/**
 * A fake of the REST API v2 of BigQuery and of Google's token service.
 *
 * Faithful to the discovery document of the API (fields, paths, parameters and formats of values), with which
 * `tests/full/bigquery-discovery.test.ts` compares all requests and responses: `datasets.list`,
 * `datasets.get`, `tables.list` and `tables.get` with page tokens; `jobs.insert`, `jobs.get`, `jobs.list`, `jobs.getQueryResults` and
 * `jobs.cancel` with `jobComplete: false`, pages that end early, are empty or have at most 10 MB, dry runs, results from the
 * cache, cancelled jobs, row access policies that hide rows and bytes, and `maximumBytesBilled` of at least
 * 10 MiB for each table. Faithful to reports of users: legacy SQL is the default, a job is found only with its location, a
 * rate limit is an `errorResult` of a job with status 200, a second job with one id is a duplicate, timestamps are
 * floating-point numbers unless requested otherwise.
 *
 * `INFORMATION_SCHEMA.PARTITIONS` bills 10 MiB; a time of `FOR SYSTEM_TIME AS OF` has no effect.
 *
 * It runs SELECTs in DuckDB, so only SQL that means the same there; other SQL needs a registered result.
 */
export function fakeBigQuery(options: FakeBigQueryOptions): FakeBigQuery {
  const {
    project = "shop-1",
    tables,
    locations = {},
    endpoint = "https://bigquery.googleapis.com",
  } = options;
  const script: FakeScript = {
    polls: 1,
    incomplete: 0,
    pageRows: Infinity,
    pageBytes: 10_000_000,
    hasCache: false,
    tokenUses: Infinity,
    listRows: 50,
    emptyPage: false,
    jobErrors: [],
    warnings: [],
    rejections: [],
    dryRun: {},
    hasRowPolicy: false,
    unreachable: [],
    ...options.script,
  };
  const signIn = new FakeSignIn();
  const rows = new Rows(project, tables);
  const results = new Map<string, FakeResult>();
  const locationOf = (dataset: string) => locations[dataset] ?? "europe-west3";
  const jobs = new FakeJobs({ project, rows, script, results, locationOf });
  const projectOf = (table: FakeTable) => table.project ?? project;
  const isIn = (table: FakeTable, params: Readonly<Record<string, string>>) =>
    projectOf(table) === params["project"] && table.dataset === params["dataset"];
  const listedTables = tables.filter((table) => projectOf(table) === project);
  const datasets = [...new Set(listedTables.map(({ dataset }) => dataset))];
  const isSignedIn = endpoint.startsWith("https:");
  const guarded = (route: FakeRoute): FakeRoute =>
    reported((request) => {
      const token = /^Bearer (.+)$/.exec(request.headers.get("authorization") ?? "")?.[1] ?? "";
      if (isSignedIn && !signIn.accepts(token, script.tokenUses))
        return failure(401, "authError", "Request had invalid authentication credentials.");
      const at = script.rejections.findIndex(({ path }) => request.url.pathname.includes(path));
      if (at < 0) return route(request);
      const [{ error }] = script.rejections.splice(at, 1) as [FakeScript["rejections"][number]];
      return failure(error.status ?? 400, error.reason, error.message);
    });
  const listed = <T>({ url }: FakeRequest, all: readonly T[]) => {
    const start = Number(url.searchParams.get("pageToken") ?? 0);
    const end = start + Math.min(script.listRows, Number(url.searchParams.get("maxResults") ?? 50));
    return { items: all.slice(start, end), ...(end < all.length ? { nextPageToken: String(end) } : {}) };
  };
  const base = `${endpoint}/bigquery/v2/projects/:project`;
  const server = fakeServer({
    "POST https://oauth2.googleapis.com/token": signIn.token,
    "GET http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token":
      signIn.machineToken,
    [`GET ${base}/datasets`]: guarded((request) => {
      if (request.params["project"] !== project)
        return failure(404, "notFound", `Not found: Project ${request.params["project"]}`);
      const { items, ...next } = listed(request, datasets);
      return Response.json({
        ...(items.length === 0
          ? {}
          : {
              datasets: items.map((id) => ({
                datasetReference: { projectId: project, datasetId: id },
                location: locationOf(id),
              })),
            }),
        ...(script.unreachable.length === 0 ? {} : { unreachable: script.unreachable }),
        ...next,
      });
    }),
    [`GET ${base}/datasets/:dataset`]: guarded(({ params }) =>
      datasets.includes(params["dataset"]!)
        ? Response.json({ location: locationOf(params["dataset"]!) })
        : failure(404, "notFound", `Not found: Dataset ${project}:${params["dataset"]}`),
    ),
    [`GET ${base}/datasets/:dataset/tables`]: guarded((request) => {
      const own = tables.filter((one) => isIn(one, request.params));
      const { items, ...next } = listed(request, own);
      return Response.json({
        tables: items.map((table) => ({
          tableReference: referenceOf(table),
          type: table.resource?.["type"] ?? "TABLE",
        })),
        totalItems: own.length,
        ...next,
      });
    }),
    [`GET ${base}/datasets/:dataset/tables/:table`]: guarded(({ params }) => {
      const found = tables.find((one) => isIn(one, params) && one.id === params["table"]);
      if (found === undefined)
        return failure(
          404,
          "notFound",
          `Not found: Table ${params["project"]}:${params["dataset"]}.${params["table"]}`,
        );
      return Response.json({
        kind: "bigquery#table",
        type: "TABLE",
        tableReference: referenceOf(found),
        location: locationOf(found.dataset),
        schema: { fields: found.fields },
        numRows: String(found.rows?.length ?? 0),
        numBytes: String((found.rows?.length ?? 0) * found.fields.length * 8),
        lastModifiedTime: "1767225600123",
        ...found.resource,
      });
    }),
    [`POST ${base}/jobs`]: guarded((request) => jobs.insert(request)),
    [`GET ${base}/jobs`]: guarded((request) => jobs.list(request)),
    [`GET ${base}/jobs/:job`]: guarded((request) => jobs.get(request)),
    [`POST ${base}/jobs/:job/cancel`]: guarded((request) => jobs.cancel(request)),
    [`GET ${base}/queries/:job`]: guarded((request) => jobs.results(request)),
  });
  const referenceOf = (table: FakeTable) => ({
    projectId: projectOf(table),
    datasetId: table.dataset,
    tableId: table.id,
  });
  const own = {
    project,
    script,
    signIn,
    inserted: jobs.inserted,
    cancelled: jobs.cancelled,
    results,
    resultTable: (dataset: string, table: string) => jobs.resultTable(dataset, table),
    [Symbol.asyncDispose]: () => rows.close(),
  };
  return Object.defineProperties(own, Object.getOwnPropertyDescriptors(server)) as unknown as FakeBigQuery;
}
