import { fakeHost, recordingLog, type FakeHost, type RecordingLog } from "agnes/testing";
import {
  Secret,
  type AnyConnector,
  type Batch,
  type ReadOptions,
  type Row,
  type SourceQueryOptions,
  type TableInfo,
} from "agnes/kit";
import * as v from "valibot";

import { createHttp, mergeParts } from "../../lib/kit/mod.ts";
import plugin from "../../plugins/bigquery/plugin.ts";
import { bigqueryOptions } from "../../plugins/bigquery/options.ts";
import type { FakeBigQuery } from "../fakes/bigquery/mod.ts";

/** A connector over a fake, with a fake clock. */
export interface Connected {
  readonly connector: AnyConnector;
  readonly host: FakeHost;
  readonly log: RecordingLog;
  readonly tables: () => Promise<ReadonlyMap<string, TableInfo>>;
  readonly read: (name: string, options?: Partial<ReadOptions>) => Promise<readonly Row[]>;
  readonly query: (sql: string, options?: Partial<SourceQueryOptions>) => Promise<readonly Row[]>;
}

const { signal } = new AbortController();

/** Connects the plugin to a fake, signed in with its service account. */
export async function connect(
  server: FakeBigQuery,
  options: Readonly<Record<string, unknown>> = {},
): Promise<Connected> {
  const host = fakeHost({ fetch: server.fetch, startsAt: new Date() });
  const log = recordingLog();
  const context = {
    source: "shop",
    // Sessions need a server of their own, whose endpoint is an option.
    options: v.parse(bigqueryOptions, {
      project: server.project,
      storageRead: options["storageEndpoint"] !== undefined,
      ...options,
    }),
    secrets: {
      BIGQUERY_SERVICE_ACCOUNT_JSON: new Secret(
        "BIGQUERY_SERVICE_ACCOUNT_JSON",
        server.signIn.serviceAccount,
      ),
    },
    http: createHttp({ host, log }),
    log,
    now: () => host.now(),
    sleep: (durationMs: number, stop?: AbortSignal) => host.sleep(durationMs, stop),
  };
  const connector = (await plugin.connect(context as never)) as AnyConnector;
  const tables = async () => {
    const found: TableInfo[] = [];
    const pages = connector.discover!({ signal }) as AsyncIterable<readonly TableInfo[]>;
    for await (const page of pages) found.push(...page);
    return new Map(found.map((info) => [info.name, info]));
  };
  return {
    connector,
    host,
    log,
    tables,
    async read(name, readOptions = {}) {
      const info = (await tables()).get(name) ?? { name, primaryKey: [], schema: { fields: [] } as never };
      return collected(
        connector.read!(info, { batchRows: 100, signal, ...readOptions }) as AsyncIterable<Batch>,
      );
    },
    async query(sql, queryOptions = {}) {
      const { batches, parts } = await connector.query!(sql, { signal, ...queryOptions });
      return collected(batches ?? mergeParts(parts, { signal }));
    },
  };
}

async function collected(batches: AsyncIterable<Batch>): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for await (const batch of batches) rows.push(...(batch as readonly Row[]));
  return rows;
}

/** Returns the error of a rejected promise. */
export async function rejection(work: Promise<unknown>): Promise<Error & { readonly code?: string }> {
  try {
    await work;
  } catch (error) {
    return error as Error;
  }
  throw new Error("it was not rejected");
}
