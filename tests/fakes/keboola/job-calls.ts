import { parametersOf, tableOf, type ApiCall } from "./api.ts";
import { invalid } from "./errors.ts";
import { readExport, selectRows, writeSlices } from "./exports.ts";
import { FILE_MS } from "./files.ts";
import { readImport, runImport } from "./imports.ts";
import { describeJob, type JobWork, type StorageJob } from "./jobs.ts";

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

export async function pollJob(call: ApiCall): Promise<Response> {
  const job = await call.context.jobs.poll(Number(call.parts[0]));
  return Response.json(jobAnswer(call, job));
}

function startJob(call: ApiCall, work: JobWork): Response {
  const job = call.context.jobs.start(work, call.token.id);
  return Response.json(jobAnswer(call, job), { status: 202 });
}

function jobAnswer({ context, token }: ApiCall, job: StorageJob): Readonly<Record<string, unknown>> {
  const url = context.script.jobUrl?.(job.id) ?? `${context.base}/jobs/${job.id}`;
  return describeJob(job, url, token.description);
}
