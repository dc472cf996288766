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
  const folder = temporaryFolder();
  const server = fakeBigQuery({
    tables: options.tables ?? [PAGES_TABLE],
    script: { polls: 0, ...options.script },
  });
  await makeDatabase(join(folder.path, "local.duckdb"), options.local ?? LOCAL);
  await makeDatabase(join(folder.path, "wh.duckdb"), options.warehouse ?? WAREHOUSE);
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
        local: { plugin: "duckdb", options: { path: "local.duckdb" } },
        wh: { plugin: "duckdb", options: { path: "wh.duckdb" }, register: "listed" },
        bq: { plugin: "bigquery", options: { project: server.project, ...options.bigquery } },
        mute: { plugin: "mute", register: "listed" },
        ...Object.fromEntries(
          plugins.map(({ name }) => [name, { plugin: name, register: "listed" as const }]),
        ),
      },
    },
  });
  await agnes.sync({ only: ["local"] });
  return {
    agnes,
    server,
    async [Symbol.asyncDispose]() {
      await agnes.close();
      await server[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
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
  calls: Call[],
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

export const SPY = { source: "spy", sql: "rows" };
