import { AgnesError, type ReadProgress } from "agnes/kit";

import { statusOf, type StorageApi } from "../api/api.ts";
import { dateOf } from "../dates.ts";
import { errors } from "../errors.ts";
import { keepAlive } from "./keep-alive.ts";
import type { PendingExport, PendingFile } from "./pending.ts";
import { fileSchema, jobSchema, type Job, type StorageFile } from "../api/schemas.ts";
import type { Semaphore } from "../api/semaphore.ts";
import { pathOf } from "../tables/tables.ts";
import type { WhereFilter } from "./where-filters.ts";

/** What to export. */
export interface ExportRequest {
  readonly table: string;
  readonly branch: string | undefined;
  readonly columns: readonly string[];
  /**
   * Further columns to export as CSV: in a file of one column, a null is an empty line, which is not distinguished from no
   * row. `null`: the table has no other column.
   */
  readonly csvExtra: readonly string[] | null;
  readonly whereFilters: readonly WhereFilter[];
  /** Unix seconds. */
  readonly changedSince?: number;
  /** Unix seconds. */
  readonly changedUntil?: number;
  readonly limit?: number;
  /** Default: Parquet, or CSV if the stack rejects it. */
  readonly fileType?: "csv" | "parquet";
  /** Whether the backend converts times with a zone, in CSV, to the zone of the request. */
  readonly hasTimezone: boolean;
  /** What was requested, and of which rows; an earlier export with the same one is continued. */
  readonly fingerprint: string;
  /** Whether an earlier export may be continued only if it is young, because changes of the rows are not known. */
  readonly isVolatile: boolean;
}

/** A finished export. */
export interface FinishedExport {
  readonly file: StorageFile;
  /** When the job was created, by the clock of the stack. */
  readonly startedAt: Date;
}

/** How an export runs. */
export interface ExportRun {
  readonly pending: PendingFile;
  readonly signal: AbortSignal;
  readonly onProgress: ((progress: ReadProgress) => void) | undefined;
}

/** An export whose rows may have changed is continued for this time. */
const CONTINUED_MS = 60 * 60_000;

/** The exports of one source. */
export class Exports {
  readonly #api: StorageApi;
  readonly #now: () => Date;
  readonly #jobs: (signal: AbortSignal) => Promise<Semaphore>;
  /** Whether the stack rejected Parquet. */
  #isCsv = false;

  constructor(api: StorageApi, now: () => Date, jobs: (signal: AbortSignal) => Promise<Semaphore>) {
    this.#api = api;
    this.#now = now;
    this.#jobs = jobs;
  }

  /**
   * Exports a table, or continues an earlier export of the same rows.
   * @throws `keboola/export_failed`, `keboola/export_lost`
   */
  async run(request: ExportRequest, run: ExportRun): Promise<FinishedExport> {
    const jobs = await this.#jobs(run.signal);
    const places = await keepAlive("waiting for a free job", run.onProgress, () => jobs.take(1, run.signal));
    try {
      const earlier = await this.#earlier(request, run);
      if (earlier !== null) {
        const finished = await this.#finish(request, earlier, run).catch(failed);
        if (finished !== null) return finished;
      }
      // Nothing of an export that failed or does not exist any more is of use.
      await run.pending.clear();
      const finished = await this.#start(request, run);
      if (finished === null) throw errors.export_lost({ table: request.table, what: "its job or its file" });
      return finished;
    } finally {
      places.release();
    }
  }

  /** Returns the file of an export with new credentials; null if it does not exist any more. */
  async file(id: string, { table, branch }: ExportRequest, signal: AbortSignal): Promise<StorageFile | null> {
    try {
      const path = `${pathOf(branch)}/files/${encodeURIComponent(id)}`;
      const query = { federationToken: 1 };
      const what = `file ${id} of the export of ${table}`;
      return await this.#api.call(path, { schema: fileSchema, query, what, signal });
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
      return null;
    }
  }

  async #earlier(
    { fingerprint, isVolatile }: ExportRequest,
    { pending }: ExportRun,
  ): Promise<PendingExport | null> {
    const found = await pending.read();
    if (found === null || found.fingerprint !== fingerprint) return null;
    // Both times are of the same clock. One that was set back makes the age unknown.
    const ageMs = this.#now().getTime() - new Date(found.rememberedAt ?? found.startedAt).getTime();
    return isVolatile && (ageMs < 0 || ageMs > CONTINUED_MS) ? null : found;
  }

  /** Starts an export in the requested format; by default of CSV if the stack rejects Parquet. */
  async #start(request: ExportRequest, run: ExportRun): Promise<FinishedExport | null> {
    const { fileType } = request;
    if (fileType !== undefined) return this.#finish(request, await this.#post(fileType, request, run), run);
    if (this.#isCsv) return this.#finish(request, await this.#post("csv", request, run), run);
    try {
      const pending = await this.#post("parquet", request, run).catch(rejectedFormat);
      if (pending !== null) return await this.#finish(request, pending, run);
    } catch (error) {
      if (!isExportFailed(error) || !/parquet|file ?type/i.test(error.message)) throw error;
    }
    const pending = await this.#post("csv", request, run);
    // Any other mistake in the request would have failed again.
    this.#isCsv = true;
    return this.#finish(request, pending, run);
  }

  /** Creates the job of an export. */
  async #post(fileType: "parquet" | "csv", request: ExportRequest, run: ExportRun): Promise<PendingExport> {
    const { table, branch, fingerprint } = request;
    const path = `${pathOf(branch)}/tables/${encodeURIComponent(table)}/export-async`;
    const job = await keepAlive("starting the export", run.onProgress, () =>
      this.#api.call(path, {
        json: bodyOf(request, fileType),
        schema: jobSchema,
        what: `the export of table ${table}`,
        signal: run.signal,
      }),
    );
    const { id, url, createdTime } = job;
    const started = dateOf(createdTime) ?? this.#now();
    const pending: PendingExport = {
      fingerprint,
      job: { id, url: url ?? `/v2/storage/jobs/${encodeURIComponent(id)}` },
      startedAt: started.toISOString(),
      rememberedAt: this.#now().toISOString(),
    };
    await run.pending.write(pending);
    return pending;
  }

  /** Waits for the job of an export and returns its file; null if one of them does not exist any more. */
  async #finish(
    request: ExportRequest,
    pending: PendingExport,
    { signal, onProgress, pending: remembered }: ExportRun,
  ): Promise<FinishedExport | null> {
    let id = pending.file;
    if (id === undefined) {
      const job = await this.#poll(request, pending, { signal, onProgress });
      if (job === null) return null;
      id = job.results?.file?.id;
      if (id === undefined)
        throw errors.export_failed({ table: request.table, job: job.id, reason: "it names no file" });
      await remembered.write({ ...pending, file: id });
    }
    const fileId = id;
    const file = await keepAlive("exporting", onProgress, () => this.file(fileId, request, signal));
    return file === null ? null : { file, startedAt: new Date(pending.startedAt) };
  }

  async #poll(
    { table }: ExportRequest,
    { job }: PendingExport,
    { signal, onProgress }: Pick<ExportRun, "signal" | "onProgress">,
  ): Promise<Job | null> {
    try {
      return await keepAlive("exporting", onProgress, () =>
        this.#api.poll(job, {
          schema: jobSchema,
          what: `job ${job.id}`,
          isDone: (job) => isDone(job, table),
          phaseOf: ({ status }) => (status === "waiting" ? "waiting for the export" : "exporting"),
          onProgress,
          signal,
        }),
      );
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
      return null;
    }
  }
}

/** The body as JSON: in a form, the stack ignores or rejects conditions that are JSON. */
function bodyOf(
  { table, columns, csvExtra, whereFilters, changedSince, changedUntil, limit, hasTimezone }: ExportRequest,
  fileType: "parquet" | "csv",
): Readonly<Record<string, unknown>> {
  if (fileType === "csv" && csvExtra === null)
    throw errors.table_invalid({
      table,
      reason: "it has one column and is exported as CSV, in which its null values are no rows",
    });
  return {
    // Named, so that a column that is added meanwhile shifts no values.
    columns: [...columns, ...(fileType === "csv" ? csvExtra! : [])].join(","),
    fileType,
    ...(fileType === "csv" ? { gzip: true } : {}),
    ...(fileType === "csv" && hasTimezone ? { timezone: "UTC" } : {}),
    ...(whereFilters.length === 0 ? {} : { whereFilters }),
    ...(changedSince === undefined ? {} : { changedSince: String(changedSince) }),
    ...(changedUntil === undefined ? {} : { changedUntil: String(changedUntil) }),
    ...(limit === undefined ? {} : { limit }),
  };
}

function isDone({ status, id, error }: Job, table: string): boolean {
  if (status === "success") return true;
  if (status !== "error" && status !== "terminated" && status !== "cancelled") return false;
  const { code, message } = typeof error === "string" ? { message: error } : { code: undefined, ...error };
  if (code === "storage.tables.notFound") throw errors.table_missing({ table });
  const reason = message ?? `it ended with status ${status}`;
  const isTransient = /internal|timeout|timed out|try again|temporar/i.test(`${code ?? ""} ${reason}`);
  throw errors.export_failed({ table, job: id, reason }, isTransient ? { retry: "transient" } : {});
}

/** An export of an earlier read that failed is started again. */
function failed(error: unknown): null {
  if (isExportFailed(error)) return null;
  throw error;
}

const isExportFailed = (error: unknown): error is AgnesError =>
  error instanceof AgnesError && error.code === errors.export_failed.code;

/** The stack may have rejected the format of an export. */
function rejectedFormat(error: unknown): null {
  const status = statusOf(error);
  if (status === 400 || status === 415 || status === 422 || status === 501) return null;
  throw error;
}
