import { join } from "node:path";

import { createHost, silentLog, type Host } from "../../lib/base/mod.ts";
import { rebuildAnalytics } from "../../lib/analytics/rebuild.ts";
import type { RebuildRequest } from "../../lib/analytics/request.ts";
import { openQuerySession } from "../../lib/query/mod.ts";
import type { QuerySession, SessionOptions } from "../../lib/query/session.ts";
import { temporaryData, writeExtract } from "../analytics/extract-files.ts";
import { builtOnce } from "../built-once.ts";

/** Services for tests: the real host, a silent log, little memory. */
export function testServices(overrides: Partial<Host> = {}) {
  return {
    host: createHost(overrides),
    log: silentLog,
    limits: { memoryMb: 256, threads: 2, temporaryMb: 64 },
  };
}

/** A data folder with two published sources and a session over it. */
export async function published(
  options: { readonly request?: Partial<RebuildRequest>; readonly session?: Partial<SessionOptions> } = {},
): Promise<{ readonly data: string; readonly session: QuerySession } & AsyncDisposable> {
  const { request } = options;
  const folder = request === undefined ? await usualFolder() : await publishedFolder(request);
  const { data } = folder;
  const session = openQuerySession(testServices(), { dataDirectory: data, ...options.session });
  return {
    data,
    session,
    async [Symbol.asyncDispose]() {
      await session.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const builtFolder = builtOnce((path) => publish(join(path, "data"), {}));

async function usualFolder() {
  const folder = await builtFolder();
  return { data: join(folder.path, "data"), [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

async function publishedFolder(request: Partial<RebuildRequest>) {
  const folder = await temporaryData();
  await publish(folder.data, request);
  return folder;
}

async function publish(data: string, request: Partial<RebuildRequest>): Promise<void> {
  await writeExtract(data, "crm", {
    tables: [
      {
        name: "orders",
        rows: "SELECT range AS id, range % 7 AS customer, 'o' || range AS label FROM range(10000)",
      },
      { name: "customers", rows: "SELECT range AS id, 'c' || range AS name FROM range(7)" },
    ],
  });
  await writeExtract(data, "erp", {
    tables: [
      { name: "stock", rows: "SELECT 1 AS item, 5 AS pieces" },
      { name: "inside", object: "TABLE inside AS SELECT 42 AS answer" },
    ],
  });
  await rebuildAnalytics(testServices(), { dataDirectory: data, owners: null, ...request });
}

/** All rows of a query, as plain objects. */
export async function rowsOf(
  session: QuerySession,
  sql: string,
  options: Omit<Parameters<QuerySession["runQuery"]>[0], "sql"> = {},
): Promise<readonly Record<string, unknown>[]> {
  const result = await session.runQuery({ sql, ...options });
  const rows: Record<string, unknown>[] = [];
  for await (const batch of result.batches)
    for (const row of batch) rows.push(row.toJSON() as Record<string, unknown>);
  return rows;
}
