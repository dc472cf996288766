import type { FakeRequest } from "agnes/testing";

import { ResultCache } from "./cache.ts";
import { failure } from "./responses.ts";
import { statementType } from "./sql.ts";
import type { Rows } from "./tables.ts";
import type { FakeCell, FakeError, FakeResult, FakeScript, FakeTable, QueryParameter } from "./types.ts";

const MEBIBYTE = 1024 ** 2;
/** The dataset of the tables that have the results of jobs. */
const RESULTS_DATASET = "_results";

/** The body of `jobs.insert`. */
export interface JobBody {
  readonly jobReference: { readonly projectId: string; readonly jobId?: string; readonly location?: string };
  readonly configuration: {
    readonly dryRun?: boolean;
    readonly labels?: Readonly<Record<string, string>>;
    readonly query: {
      readonly query: string;
      readonly useLegacySql?: boolean;
      readonly maximumBytesBilled?: string;
      readonly parameterMode?: string;
      readonly queryParameters?: readonly QueryParameter[];
    };
  };
}

interface Job {
  readonly id: string;
  readonly location: string;
  readonly configuration: object;
  readonly createdMs: number;
  readonly statistics: object;
  readonly result: FakeResult | null;
  error: FakeError | undefined;
  pollsLeft: number;
  incompleteLeft: number;
}

/** What the jobs of the fake need. */
export interface JobServices {
  readonly project: string;
  readonly rows: Rows;
  readonly script: FakeScript;
  /** Registered results by SQL. */
  readonly results: ReadonlyMap<string, FakeResult>;
  /** The location of a dataset. */
  readonly locationOf: (dataset: string) => string;
}

/** The query jobs of the fake. */
export class FakeJobs {
  /** The bodies of all `jobs.insert`. */
  readonly inserted: JobBody[] = [];
  /** The ids of cancelled jobs. */
  readonly cancelled: string[] = [];
  readonly #services: JobServices;
  readonly #jobs = new Map<string, Job>();
  readonly #cache = new ResultCache();

  constructor(services: JobServices) {
    this.#services = services;
  }

  async insert({ body, params }: FakeRequest): Promise<Response> {
    const request = JSON.parse(body) as JobBody;
    this.inserted.push(request);
    const { jobReference, configuration } = request;
    const { query: sql, useLegacySql = true } = configuration.query;
    if (jobReference.projectId !== params["project"]) return failure(400, "invalid", "Invalid project");
    if (useLegacySql) return failure(400, "invalidQuery", 'Encountered " "FROM" "": legacy SQL');
    const { rows, script } = this.#services;
    const listed = listedPartitions(sql, configuration.query.queryParameters ?? [], rows.tables);
    const tables = listed === null ? rows.tablesIn(sql) : [];
    const location = this.#locationOf(sql, jobReference.location);
    if (location === null)
      return failure(
        404,
        "notFound",
        `Not found: Dataset was not found in location ${jobReference.location}`,
      );
    const missing = listed === null ? this.#missingTable(sql) : undefined;
    if (missing !== undefined) return failure(404, "notFound", `Not found: Table ${missing}`);
    const filter = tables.find(({ resource }) => resource?.["requirePartitionFilter"] === true);
    if (filter !== undefined && !/ WHERE /.test(sql))
      return failure(
        400,
        "invalidQuery",
        `Cannot query over table '${filter.id}' without a filter over column(s) 'day' that can be used for partition elimination`,
      );
    const { result, error } =
      listed === null
        ? await this.#run(sql, configuration.query.queryParameters ?? [])
        : { result: listed, error: undefined };
    if (error !== undefined) return failure(400, "invalidQuery", error);
    const ownBytes = listed === null ? 0 : 10 * MEBIBYTE;
    const isCached = script.hasCache && this.#cache.has(request, tables);
    const isHidden = script.hasRowPolicy || tables.some(({ rowPolicy }) => rowPolicy !== undefined);
    const scanned = tables.reduce((sum, { resource, rows: all = [], fields }) => {
      const columns = fields.filter(({ name }) => sql.includes(`\`${name}\``) || sql.includes("*")).length;
      // `numBytes` is that of stored rows only.
      const isStored = resource?.["type"] !== "EXTERNAL" && resource?.["streamingBuffer"] === undefined;
      const numBytes = isStored ? resource?.["numBytes"] : undefined;
      return sum + Number(numBytes ?? all.length * columns * 8);
    }, ownBytes);
    const bytes = isCached ? 0 : scanned;
    if (configuration.dryRun === true)
      return Response.json(this.#dryRun(request, { bytes, location, result, isCached, isHidden }));
    const id = jobReference.jobId ?? `job_${this.#jobs.size}`;
    if (this.#jobs.has(id)) return failure(409, "duplicate", `Already Exists: Job ${id}`);
    const billed = bytes === 0 ? 0 : Math.max(10 * MEBIBYTE * tables.length, bytes);
    const limit = Number(configuration.query.maximumBytesBilled ?? Infinity);
    const tooLarge = {
      reason: "bytesBilledLimitExceeded",
      message: `Query exceeded limit for bytes billed: ${limit}. ${billed} or higher required.`,
    };
    const createdMs = script.nowMs ?? Date.now();
    const isTooLarge = billed > limit;
    const job: Job = {
      id,
      location,
      configuration,
      createdMs,
      statistics: {
        creationTime: String(createdMs),
        totalSlotMs: "12",
        ...(isHidden ? { rowLevelSecurityStatistics: { rowLevelSecurityApplied: true } } : {}),
        query: {
          statementType: "SELECT",
          ...(isHidden
            ? {}
            : { totalBytesProcessed: String(bytes), totalBytesBilled: String(isTooLarge ? 0 : billed) }),
          cacheHit: isCached,
        },
      },
      result,
      error: isTooLarge ? tooLarge : script.jobErrors.shift(),
      pollsLeft: script.polls,
      incompleteLeft: script.incomplete,
    };
    this.#jobs.set(id, job);
    if (job.error === undefined) this.#cache.add(request, tables);
    return Response.json(this.#resource(job));
  }

  get({ params, url }: FakeRequest): Response {
    const job = this.#find(params["job"]!, url);
    if (job === null) return failure(404, "notFound", `Not found: Job ${params["job"]}`);
    const response = this.#resource(job);
    if (job.pollsLeft > 0) job.pollsLeft -= 1;
    return Response.json(response);
  }

  /** The jobs from a time on, newest first. */
  list({ url }: FakeRequest): Response {
    const { nowMs, listRows, unreachable } = this.#services.script;
    const query = url.searchParams;
    const from = Number(query.get("minCreationTime") ?? 0);
    const all = [...this.#jobs.values()].filter(({ createdMs }) => createdMs >= from).reverse();
    const start = Number(query.get("pageToken") ?? 0);
    const end = start + Math.min(listRows, Number(query.get("maxResults") ?? 50));
    const isFull = query.get("projection") === "full";
    const jobs = all.slice(start, end).map((job) => ({
      ...this.#resource(job),
      state: job.pollsLeft > 0 ? "RUNNING" : "DONE",
      ...(job.error === undefined || job.pollsLeft > 0 ? {} : { errorResult: job.error }),
      ...(isFull ? { configuration: job.configuration } : {}),
    }));
    return Response.json({
      kind: "bigquery#jobList",
      ...(jobs.length === 0 ? {} : { jobs }),
      ...(end < all.length ? { nextPageToken: String(end) } : {}),
      ...(unreachable.length === 0 ? {} : { unreachable }),
      etag: String(nowMs),
    });
  }

  cancel({ params, url }: FakeRequest): Response {
    const job = this.#find(params["job"]!, url);
    if (job === null) return failure(404, "notFound", `Not found: Job ${params["job"]}`);
    this.cancelled.push(job.id);
    if (job.pollsLeft > 0)
      job.error = { reason: "stopped", message: "Job execution was cancelled: User requested cancellation" };
    job.pollsLeft = 0;
    return Response.json({ kind: "bigquery#jobCancelResponse", job: this.#resource(job) });
  }

  results({ params, url }: FakeRequest): Response {
    const job = this.#find(params["job"]!, url);
    if (job === null) return failure(404, "notFound", `Not found: Job ${params["job"]}`);
    const base = { jobReference: this.#reference(job) };
    if (job.pollsLeft > 0 || job.incompleteLeft > 0) {
      job.incompleteLeft -= 1;
      return Response.json({ ...base, jobComplete: false });
    }
    if (job.error !== undefined) return failure(400, job.error.reason, job.error.message);
    const { fields, rows } = job.result!;
    const query = url.searchParams;
    const size = Math.min(this.#services.script.pageRows, Number(query.get("maxResults") ?? 100_000));
    const token = query.get("pageToken") ?? "0";
    const start = Number(token.replace("again-", ""));
    const whole = {
      ...base,
      jobComplete: true,
      schema: { fields: fields.map(toField) },
      totalRows: String(rows.length),
    };
    // Once, after the first page: a page without rows whose token leads on.
    if (this.#services.script.emptyPage && start > 0 && !token.startsWith("again-"))
      return Response.json({ ...whole, pageToken: `again-${start}` });
    const isInteger = query.get("formatOptions.useInt64Timestamp") === "true";
    const isText = query.get("formatOptions.timestampOutputFormat") === "ISO8601_STRING";
    const cut = rows.slice(start, start + size).map((row) => ({
      f: row.map((cell, at) => ({
        v: fields[at]!.type === "TIMESTAMP" ? timestampOf(cell, { isInteger, isText }) : cell,
      })),
    }));
    const page = cut.slice(0, rowsWithin(cut, this.#services.script.pageBytes));
    const end = start + page.length;
    const next = end < rows.length ? { pageToken: String(end) } : {};
    return Response.json({ ...whole, ...(page.length === 0 ? {} : { rows: page }), ...next });
  }

  /** The rows of the table with a result; undefined for another table. */
  resultTable(dataset: string, table: string): FakeResult | undefined {
    if (dataset !== RESULTS_DATASET) return undefined;
    return this.#jobs.get(table.replace(/^anon_/, ""))?.result ?? undefined;
  }

  #find(id: string, url: URL): Job | null {
    const job = this.#jobs.get(id);
    // Outside the US and the EU a job is found only with its location.
    const location = url.searchParams.get("location") ?? "US";
    return job === undefined || job.location !== location ? null : job;
  }

  #locationOf(sql: string, asked: string | undefined): string | null {
    const [first] = this.#services.rows.tablesIn(sql);
    const own = first === undefined ? undefined : this.#services.locationOf(first.dataset);
    if (own !== undefined && asked !== undefined && own !== asked) return null;
    return own ?? asked ?? "US";
  }

  #missingTable(sql: string): string | undefined {
    const named = /`([^`]+)`\.`([^`]+)`\.`([^`]+)`/.exec(sql);
    return named === null || this.#services.rows.tablesIn(sql).length > 0
      ? undefined
      : `${named[1]}:${named[2]}.${named[3]}`;
  }

  async #run(sql: string, parameters: readonly QueryParameter[]) {
    const registered = this.#services.results.get(sql);
    if (registered !== undefined) return { result: registered, error: undefined };
    if (statementType(sql) !== "SELECT") return { result: null, error: undefined };
    try {
      return { result: await this.#services.rows.run(sql, parameters), error: undefined };
    } catch (error) {
      return { result: null, error: `Syntax error: ${(error as Error).message}` };
    }
  }

  #dryRun(
    { configuration, jobReference }: JobBody,
    {
      bytes,
      location,
      result,
      isCached,
      isHidden,
    }: {
      bytes: number;
      location: string;
      result: FakeResult | null;
      isCached: boolean;
      isHidden: boolean;
    },
  ): object {
    const { script, project, rows } = this.#services;
    const referencedTables = rows
      .tablesIn(configuration.query.query)
      .map(({ dataset, id }) => ({ projectId: project, datasetId: dataset, tableId: id }));
    const query = {
      statementType: statementType(configuration.query.query),
      ...(isHidden ? {} : { totalBytesProcessed: String(bytes) }),
      totalBytesProcessedAccuracy: "PRECISE",
      cacheHit: isCached,
      referencedTables,
      schema: { fields: (result?.fields ?? []).map(toField) },
      ...script.dryRun,
    };
    return {
      jobReference: { projectId: jobReference.projectId, location },
      status: { state: "DONE" },
      statistics: {
        ...("totalBytesProcessed" in script.dryRun || isHidden ? {} : { totalBytesProcessed: String(bytes) }),
        ...(isHidden ? { rowLevelSecurityStatistics: { rowLevelSecurityApplied: true } } : {}),
        query,
      },
    };
  }

  #reference({ id, location }: Job) {
    return { projectId: this.#services.project, jobId: id, location };
  }

  #resource(job: Job): object {
    const isRunning = job.pollsLeft > 0;
    const { warnings } = this.#services.script;
    const errors = job.error === undefined ? warnings : [job.error, ...warnings];
    return {
      kind: "bigquery#job",
      jobReference: this.#reference(job),
      configuration: {
        query: {
          destinationTable: {
            projectId: this.#services.project,
            datasetId: RESULTS_DATASET,
            tableId: `anon_${job.id}`,
          },
        },
      },
      status: {
        state: isRunning ? "RUNNING" : "DONE",
        ...(isRunning || job.error === undefined ? {} : { errorResult: job.error }),
        ...(errors.length === 0 || isRunning ? {} : { errors }),
      },
      statistics: isRunning ? {} : job.statistics,
    };
  }
}

/** How many of the first rows a page of a size has, at least one. */
function rowsWithin(rows: readonly object[], bytesMax: number): number {
  let sizeBytes = 0;
  const past = rows.findIndex((row) => (sizeBytes += JSON.stringify(row).length) > bytesMax);
  return past < 0 ? rows.length : Math.max(1, past);
}

/** The result of a query of INFORMATION_SCHEMA.PARTITIONS, whose table is a parameter; null for another query. */
function listedPartitions(
  sql: string,
  parameters: readonly QueryParameter[],
  tables: readonly FakeTable[],
): FakeResult | null {
  const dataset = /`([^`]+)`\.`INFORMATION_SCHEMA`\.`PARTITIONS`/.exec(sql)?.[1];
  if (dataset === undefined) return null;
  const name = parameters[0]?.parameterValue.value;
  const table = tables.find((one) => one.dataset === dataset && one.id === name);
  return {
    fields: [
      { name: "partition_id", type: "STRING" },
      { name: "total_rows", type: "INTEGER" },
      { name: "total_logical_bytes", type: "INTEGER" },
      { name: "last_modified_time", type: "TIMESTAMP" },
    ],
    rows: (table?.partitions ?? []).map(({ id, modified, rows = 1, bytes = 1000 }) => [
      id,
      String(rows),
      String(bytes),
      modified,
    ]),
  };
}

/** As in the schema of a result: without the digits of a column and its mode REQUIRED. */
const toField = (field: object): object => field;

/**
 * A timestamp as requested: microseconds, which cut picoseconds, text, or by default seconds as a floating-point number, which
 * loses digits.
 */
function timestampOf(
  cell: FakeCell,
  { isInteger, isText }: { readonly isInteger: boolean; readonly isText: boolean },
): FakeCell {
  if (typeof cell !== "string") return cell;
  const isMicros = /^-?\d+$/.test(cell);
  if (isText) return isMicros ? new Date(Number(cell) / 1000).toISOString() : cell;
  const micros = isMicros ? cell : String(Date.parse(cell) * 1000);
  return isInteger ? micros : (Number(micros) / 1e6).toExponential();
}
