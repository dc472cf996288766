import { afterAll } from "bun:test";
import { join } from "node:path";

import { createAgnes, isAgnesError, type Agnes, type AgnesError, type RegisteredQuery } from "agnes";
import {
  definePlugin,
  int64,
  table,
  utf8,
  type AnyPlugin,
  type QueryEstimate,
  type SourceQueryOptions,
  type SourceResult,
} from "agnes/kit";
import * as v from "valibot";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import bigquery from "../../plugins/bigquery/plugin.ts";
import duckdb from "../../plugins/duckdb/plugin.ts";
import { builtOnce, type BuiltFolder } from "../built-once.ts";
import { fakeBigQuery, type FakeBigQuery, type FakeScript, type FakeTable } from "../fakes/bigquery/mod.ts";
import { temporaryFolder } from "../sync/workspace.ts";

/** The local tables. `orders` has keys that repeat, are null, or are not in the sources. */
const LOCAL = `
  CREATE TABLE orders AS
    SELECT i AS id, CASE WHEN i % 7 = 6 THEN NULL ELSE i % 10 END AS page, i % 3 AS kind FROM range(40) t(i);
  CREATE TABLE secrets AS SELECT 42 AS pin;
`;
/** The tables of the second database. */
const WAREHOUSE = `
  CREATE TABLE pages AS SELECT i AS id, 'p' || i AS title, i * 1.5::DECIMAL(10, 2) AS price FROM range(30) t(i);
`;

const PAGES_TABLE: FakeTable = {
  dataset: "web",
  id: "pages",
  fields: [
    { name: "id", type: "INTEGER", mode: "REQUIRED" },
    { name: "views", type: "INTEGER" },
  ],
  rows: Array.from({ length: 20 }, (_, id) => [String(id), String(id * 100)]),
};

/** A workspace with published tables of `local`, and the sources `wh` (DuckDB) and `bq` (BigQuery). */
export interface HybridShop extends AsyncDisposable {
  readonly agnes: Agnes;
  readonly server: FakeBigQuery;
}

export interface HybridShopOptions {
  readonly script?: Partial<FakeScript>;
  readonly tables?: readonly FakeTable[];
  readonly bigquery?: Readonly<Record<string, unknown>>;
  /** Further plugins, each with a source of its name. */
  readonly plugins?: readonly AnyPlugin[];
  readonly env?: Readonly<Record<string, string>>;
  /** Called before each request of a connector. */
  readonly onRequest?: (url: string) => Promise<void>;
  /** Called with the response to each of them. */
  readonly onResponse?: (url: string, response: Pick<Response, "arrayBuffer">) => Promise<void>;
  readonly isolation?: "process" | "none";
  readonly local?: string;
  readonly warehouse?: string;
}

/** A plugin that lists no tables and runs no SQL. */
export const mute = definePlugin({
  name: "mute",
  version: "1.0.0",
  description: "Runs no SQL",
  capabilities: ["read"],
  options: v.strictObject({}),
  secrets: {},
  connect: () => ({
    async *read() {
      yield [];
    },
  }),
});

export async function openHybridShop(options: HybridShopOptions = {}): Promise<HybridShop> {
  const { local = LOCAL, warehouse = WAREHOUSE } = options;
  const isUsual = local === LOCAL && warehouse === WAREHOUSE;
  const folder = isUsual ? await syncedFolder() : await ownFolder(local, warehouse);
  const server = fakeBigQuery({
    tables: options.tables ?? [PAGES_TABLE],
    script: { polls: 0, ...options.script },
  });
  const { plugins = [] } = options;
  const agnes = await createAgnes({
    workspace: folder.path,
    plugins: [duckdb, bigquery, mute, ...plugins],
    isolation: options.isolation ?? "none",
    workers: { count: 2 },
    host: {
      fetch: (async (url: string, init: RequestInit) => {
        await options.onRequest?.(url);
        const response = await server.fetch(url, init);
        await options.onResponse?.(url, response.clone());
        return response;
      }) as typeof fetch,
      env: { BIGQUERY_SERVICE_ACCOUNT_JSON: server.signIn.serviceAccount, ...options.env },
    },
    config: {
      version: 1,
      sources: {
        ...LOCAL_SOURCE,
        wh: { plugin: "duckdb", options: { path: "wh.duckdb" }, register: "listed" },
        bq: { plugin: "bigquery", options: { project: server.project, ...options.bigquery } },
        mute: { plugin: "mute", register: "listed" },
        ...Object.fromEntries(
          plugins.map(({ name }) => [name, { plugin: name, register: "listed" as const }]),
        ),
      },
    },
  });
  return {
    agnes,
    server,
    async [Symbol.asyncDispose]() {
      await agnes.close();
      await server[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const LOCAL_SOURCE = { local: { plugin: "duckdb", options: { path: "local.duckdb" } } };

const syncedFolder = builtOnce((directory) => makeSynced(directory, LOCAL, WAREHOUSE));

async function ownFolder(local: string, warehouse: string): Promise<BuiltFolder> {
  const folder = temporaryFolder();
  await makeSynced(folder.path, local, warehouse);
  return { path: folder.path, [Symbol.asyncDispose]: async () => folder[Symbol.dispose]() };
}

/** Makes both databases, and syncs the local one into the workspace of a folder. */
async function makeSynced(directory: string, local: string, warehouse: string): Promise<void> {
  await makeDatabase(join(directory, "local.duckdb"), local);
  await makeDatabase(join(directory, "wh.duckdb"), warehouse);
  const config = { version: 1, sources: LOCAL_SOURCE } as const;
  await using agnes = await createAgnes({
    workspace: directory,
    plugins: [duckdb],
    config,
    isolation: "none",
  });
  await agnes.sync();
}

async function makeDatabase(path: string, sql: string): Promise<void> {
  await using database = await openDatabase({ path });
  await using connection = await database.connect();
  await connection.run(sql);
}

export const PAGES = "`shop-1`.`web`.`pages`";
export const bq = (sql: string, more: Partial<RegisteredQuery> = {}): RegisteredQuery => ({
  source: "bq",
  sql,
  ...more,
});
export const wh = (sql: string, more: Partial<RegisteredQuery> = {}): RegisteredQuery => ({
  source: "wh",
  sql,
  ...more,
});

export type Register = Readonly<Record<string, RegisteredQuery>>;

export const rows = ({ agnes }: HybridShop, sql: string, register: Register) => agnes.rows(sql, { register });
export const jobs = ({ server }: HybridShop) =>
  server.inserted
    .filter(({ configuration }) => configuration.dryRun !== true)
    .map(({ configuration }) => configuration.query);

/** The ids of the jobs that ran. */
export const jobIds = ({ server }: HybridShop) =>
  server.inserted.flatMap(({ jobReference }) => jobReference.jobId ?? []);

export async function failure(
  shop: HybridShop,
  sql: string,
  register: Register,
  options: { readonly signal?: AbortSignal; readonly access?: ReadonlySet<string> } = {},
): Promise<AgnesError> {
  try {
    await shop.agnes.rows(sql, { register, ...options });
  } catch (error) {
    if (isAgnesError(error)) return error;
    throw error;
  }
  throw new Error("the query succeeded");
}

export interface Call {
  readonly sql: string;
  readonly options: SourceQueryOptions;
}

/** A source of two rows that records its calls. */
export function spy(
  calls: Pick<Call[], "push">,
  methods: {
    readonly query?: (sql: string, options: SourceQueryOptions) => Promise<SourceResult>;
    readonly estimate?: () => Promise<QueryEstimate>;
  } = {},
) {
  const result = table("result", { id: int64(), name: utf8() });
  return definePlugin({
    name: "spy",
    version: "1.0.0",
    description: "Two rows",
    capabilities: ["query"],
    options: v.strictObject({}),
    secrets: {},
    connect: () => ({
      async query(sql, options) {
        calls.push({ sql, options });
        if (methods.query !== undefined) return methods.query(sql, options);
        const parts = [1, 2].map(
          (id) =>
            async function* () {
              yield [{ id, name: `n${id}` }];
            },
        );
        return { schema: result.schema, parts };
      },
      ...(methods.estimate && { estimate: methods.estimate }),
    }),
  });
}

export const withSpy = async (
  calls: Call[],
  methods: Parameters<typeof spy>[1] = {},
  options: HybridShopOptions = {},
) => openHybridShop({ ...options, plugins: [spy(calls, methods)] });

/**
 * One shop for the tests of a file that change nothing in it, opened by the first of them: to open one takes longer than
 * most queries. Each `open` shows the jobs that the server gets from then on, and `openWithSpy` adds the calls of a spy.
 */
export function sharedHybridShop() {
  let calls: Call[] = [];
  const forward = { push: (call: Call) => calls.push(call) };
  let opened: Promise<HybridShop> | undefined;
  afterAll(async () => (await opened)?.[Symbol.asyncDispose]());
  const open = async (): Promise<HybridShop> => {
    const { agnes, server } = await (opened ??= openHybridShop({ plugins: [spy(forward)] }));
    const from = server.inserted.length;
    const inserted = { get: () => server.inserted.slice(from) };
    return { agnes, server: Object.create(server, { inserted }), [Symbol.asyncDispose]: async () => {} };
  };
  const openWithSpy = (own: Call[]) => {
    calls = own;
    return open();
  };
  return { open, openWithSpy };
}

export const SPY = { source: "spy", sql: "rows" };
