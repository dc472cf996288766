import { fakeServer, type FakeRoute, type FakeServer } from "agnes/testing";

import { openDatabase, type Connection } from "../../lib/duckdb/mod.ts";

/** The only token of the fake BigQuery, and its only project. */
export const BIGQUERY_TOKEN = "ya29.5ecret-token/0123456789";
export const BIGQUERY_PROJECT = "shop-1";

/** How the fake BigQuery behaves. */
export interface BigQueryScript {
  /** The number of orders. Default: 7. */
  readonly orders?: number;
  /** How many responses state that a job still runs. Default: 1. */
  readonly polls?: number;
  /** The maximum number of rows in a page, which stands for the limit of 10 MB. Default: no limit. */
  readonly pageRows?: number;
}

/** A fake BigQuery, with its jobs. */
export interface FakeBigQuery extends FakeServer, AsyncDisposable {
  /** The bodies of the requests that submitted a query. */
  readonly submitted: readonly QueryRequest[];
  /** The ids of the cancelled jobs. */
  readonly cancelled: readonly string[];
}

/** The body of `jobs.query`. */
export interface QueryRequest {
  readonly query: string;
  readonly dryRun?: boolean;
  readonly requestId?: string;
  readonly maximumBytesBilled?: string;
  readonly useLegacySql?: boolean;
  readonly parameterMode?: string;
  readonly queryParameters?: readonly {
    readonly name: string;
    readonly parameterType: { readonly type: string };
    readonly parameterValue: { readonly value?: string };
  }[];
}

const LOCATION = "europe-west3";
const MEBIBYTE = 1_048_576;
const DUCKDB_TYPES: Readonly<Record<string, string>> = {
  STRING: "VARCHAR",
  INT64: "BIGINT",
  FLOAT64: "DOUBLE",
  BOOL: "BOOLEAN",
  TIMESTAMP: "TIMESTAMPTZ",
};
/** The names in a result's schema, which are those of legacy SQL. */
const RESULT_TYPES: readonly (readonly [RegExp, string])[] = [
  [/\[\]$/, "REPEATED"],
  [/INT|HUGEINT/, "INTEGER"],
  [/^DECIMAL/, "NUMERIC"],
  [/^(DOUBLE|FLOAT)/, "FLOAT"],
  [/^BOOLEAN/, "BOOLEAN"],
  [/^TIMESTAMP/, "TIMESTAMP"],
  [/^DATE/, "DATE"],
];
/** Bytes of a value in `orders`, as BigQuery counts them: 8 for INT64, 16 for NUMERIC, 2 and the UTF-8 bytes for STRING. */
const SCANNED = { id: "8", customer: "coalesce(2 + strlen(customer), 0)", amount: "16" };

/**
 * A fake of the REST API of BigQuery over the table `shop.orders`, which runs the SQL in DuckDB.
 *
 * Faithful to: `jobs.query`, `jobs.getQueryResults` and `jobs.cancel` of the v2 API, with values as strings, named
 * parameters, dry runs, `requestId`, the location of a job, pages that end early, and `maximumBytesBilled`, of at least
 * 10 MiB for each table.
 */
export function fakeBigQuery({
  orders = 7,
  polls = 1,
  pageRows = Infinity,
}: BigQueryScript = {}): FakeBigQuery {
  const submitted: QueryRequest[] = [];
  const cancelled: string[] = [];
  const jobs = new Map<string, { readonly id: string; left: number }>();
  const opened = open(orders);
  const submit: FakeRoute = async ({ body, url }) => {
    if (url.search !== "") return failure(400, "invalid", `Invalid query parameter: ${url.search}`);
    const request = JSON.parse(body) as QueryRequest;
    submitted.push(request);
    const { connection } = await opened;
    const scannedBytes = await scannedBytesOf(connection, request.query);
    const billed =
      scannedBytes === 0 ? 0 : Math.max(10 * MEBIBYTE, Math.ceil(scannedBytes / MEBIBYTE) * MEBIBYTE);
    const limit = Number(request.maximumBytesBilled ?? Infinity);
    const totalBytesProcessed = String(scannedBytes);
    const known = jobs.get(request.requestId ?? "");
    if (known !== undefined) return Response.json(runningJob(known.id));
    const id = `job_${jobs.size + 1}`;
    try {
      await runJob(connection, id, request);
    } catch (error) {
      return failure(400, "invalidQuery", (error as Error).message);
    }
    if (request.dryRun === true) {
      return Response.json({ jobComplete: true, jobReference: { location: LOCATION }, totalBytesProcessed });
    }
    if (billed > limit) {
      const message = `Query exceeded limit for bytes billed: ${limit}. ${billed} or higher required.`;
      return failure(400, "bytesBilledLimitExceeded", message);
    }
    jobs.set(request.requestId ?? id, { id, left: polls });
    return Response.json(runningJob(id));
  };
  const results: FakeRoute = async ({ params, url: { searchParams } }) => {
    const job = [...jobs.values()].find(({ id }) => id === params["job"]);
    if (job === undefined || searchParams.get("location") !== LOCATION) {
      return failure(404, "notFound", `Not found: Job ${params["job"]}`);
    }
    if (job.left > 0) {
      job.left -= 1;
      return Response.json(runningJob(job.id));
    }
    const { connection } = await opened;
    const first = Number(searchParams.get("startIndex") ?? 0);
    const size = Math.min(pageRows, Number(searchParams.get("maxResults") ?? 1_000_000));
    return Response.json({
      ...runningJob(job.id),
      jobComplete: true,
      ...(await pageOf(connection, job.id, first, size)),
    });
  };
  const guarded =
    (route: FakeRoute): FakeRoute =>
    (request) =>
      request.headers.get("authorization") === `Bearer ${BIGQUERY_TOKEN}`
        ? route(request)
        : failure(401, "authError", "Request had invalid authentication credentials.");
  const project = `https://bigquery.googleapis.com/bigquery/v2/projects/${BIGQUERY_PROJECT}`;
  const server = fakeServer({
    [`POST ${project}/queries`]: guarded(submit),
    [`GET ${project}/queries/:job`]: guarded(results),
    [`POST ${project}/jobs/:job/cancel`]: guarded(({ params }) => {
      cancelled.push(params["job"]!);
      return Response.json({ job: runningJob(params["job"]!) });
    }),
  });
  const own = {
    submitted,
    cancelled,
    [Symbol.asyncDispose]: async () => {
      const { database, connection } = await opened;
      await connection[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
  return Object.defineProperties(own, Object.getOwnPropertyDescriptors(server)) as unknown as FakeBigQuery;
}

const runningJob = (jobId: string) => ({
  jobComplete: false,
  jobReference: { projectId: BIGQUERY_PROJECT, jobId, location: LOCATION },
});

function failure(code: number, reason: string, message: string): Response {
  return Response.json({ error: { code, message, errors: [{ reason, message }] } }, { status: code });
}

async function open(orders: number) {
  const database = await openDatabase();
  const connection = await database.connect();
  await connection.run("CREATE SCHEMA shop");
  await connection.run(
    `CREATE TABLE shop.orders AS SELECT range AS id, CASE WHEN range % 7 <> 6 THEN 'Čapek ' || range % 5 END AS customer,
     (range * 37 % 1000 + 0.25)::DECIMAL(38, 9) AS amount FROM range(${orders})`,
  );
  return { database, connection };
}

async function scannedBytesOf(connection: Connection, sql: string): Promise<number> {
  if (!sql.includes("orders")) return 0;
  const columns = Object.entries(SCANNED).filter(([name]) => sql.includes(name) || sql.includes("*"));
  const bytes = columns.map(([, size]) => size).join(" + ") || "0";
  const [row] = await connection.rows<{ bytes: string }>(
    `SELECT sum(${bytes})::VARCHAR AS bytes FROM shop.orders`,
  );
  return Number(row!.bytes);
}

/** Writes the result of a query into a table of its own, as BigQuery does. */
async function runJob(connection: Connection, id: string, request: QueryRequest): Promise<void> {
  const { query, dryRun, queryParameters = [], parameterMode, useLegacySql } = request;
  if (useLegacySql !== false || parameterMode !== "NAMED")
    throw new Error("the request is not for GoogleSQL");
  const types = new Map(
    queryParameters.map(({ name, parameterType }) => [name, DUCKDB_TYPES[parameterType.type]!]),
  );
  const sql = query
    .replaceAll(/`([^`]*)`/g, '"$1"')
    .replaceAll(/@(\w+)/g, (_, name: string) => `CAST($${name} AS ${types.get(name)})`);
  const parameters = Object.fromEntries(
    queryParameters.map((one) => [one.name, one.parameterValue.value ?? null]),
  );
  await connection.run(`CREATE OR REPLACE TEMP TABLE "${id}" AS ${sql}`, { parameters });
  if (dryRun === true) await connection.run(`DROP TABLE "${id}"`);
}

async function pageOf(connection: Connection, id: string, first: number, size: number): Promise<object> {
  const columns = await connection.rows<{ column_name: string; column_type: string }>(`DESCRIBE "${id}"`);
  const fields = columns.map(({ column_name, column_type }) => {
    const type = RESULT_TYPES.find(([pattern]) => pattern.test(column_type))?.[1] ?? "STRING";
    return type === "REPEATED"
      ? { name: column_name, type: "INTEGER", mode: "REPEATED" }
      : { name: column_name, type, mode: "NULLABLE" };
  });
  const list = fields.map(({ name }, at) => `CAST("${name}" AS VARCHAR) AS c${at}`).join(", ");
  const rows = await connection.rows(`SELECT ${list} FROM "${id}" LIMIT ${size} OFFSET ${first}`);
  const [total] = await connection.rows<{ n: string }>(`SELECT count(*)::VARCHAR AS n FROM "${id}"`);
  return {
    schema: { fields },
    totalRows: total!.n,
    ...(rows.length > 0 && { rows: rows.map((row) => ({ f: Object.values(row).map((v) => ({ v })) })) }),
  };
}
