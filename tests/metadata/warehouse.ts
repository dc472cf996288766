import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createAgnes, type Agnes, type AgnesError, type AgnesOptions } from "agnes";
import { definePlugin, int64, table, utf8, type TableMetadata } from "agnes/kit";
import * as v from "valibot";

/** What the source returns for a table: metadata, null if it does not know the table, or an error. */
type Response = Omit<TableMetadata, "name"> | null | Error;

/** A source whose metadata the test controls. */
export interface Warehouse {
  /** The response for each table; default: one row. */
  readonly responses: Map<string, Response>;
  /** The names of each call. */
  readonly calls: (readonly string[])[];
  inFlight: number;
  maxInFlight: number;
  /** Awaited by each call. */
  gate: Promise<unknown>;
  /** The reads of rows and the listings, which a refresh never makes. */
  reads: number;
}

export function newWarehouse(): Warehouse {
  return {
    responses: new Map(),
    calls: [],
    inFlight: 0,
    maxInFlight: 0,
    gate: Promise.resolve(),
    reads: 0,
  };
}

/** The tables that the source lists. */
const TABLES = ["orders", "people", "visits", "events"];

const common = {
  version: "1.0.0",
  description: "Tables in memory",
  options: v.strictObject({}),
  register: "listed",
} as const;

export function warehousePlugins(warehouse: Warehouse, names: readonly string[] = TABLES) {
  const reading = {
    async discover() {
      warehouse.reads += 1;
      return names.map((name) => table(name, { id: int64(), name: utf8() }));
    },
    async *read() {
      warehouse.reads += 1;
      yield [{ id: 1, name: "one" }];
    },
  };
  return [
    definePlugin({
      ...common,
      name: "warehouse",
      secrets: { WAREHOUSE_TOKEN: { description: "token of the warehouse", required: true } },
      capabilities: ["discover", "read", "metadata"],
      connect: ({ secrets }) => ({
        ...reading,
        async metadata(tables) {
          warehouse.calls.push(tables.map(({ name }) => name));
          warehouse.inFlight += 1;
          warehouse.maxInFlight = Math.max(warehouse.maxInFlight, warehouse.inFlight);
          try {
            await warehouse.gate;
            return tables.flatMap(({ name }) => {
              const found = warehouse.responses.get(name);
              if (found instanceof Error) throw withToken(found, secrets.WAREHOUSE_TOKEN.reveal());
              return found === null ? [] : [{ name, ...(found ?? { rows: 1 }) }];
            });
          } finally {
            warehouse.inFlight -= 1;
          }
        },
      }),
    }),
    definePlugin({
      ...common,
      name: "plain",
      secrets: {},
      capabilities: ["discover", "read"],
      connect: () => reading,
    }),
  ];
}

/** An error that repeats the secret, as careless ones do. */
function withToken(error: Error, token: string): Error {
  return error.message.includes("TOKEN") ? new Error(error.message.replace("TOKEN", token)) : error;
}

export const SECRET = "5ecret-of-the-warehouse";

/** A workspace over a warehouse `shop`, another one `other`, and a source `plain` whose plugin reports no metadata. */
export function openWarehouse(
  directory: string,
  warehouse: Warehouse,
  { env = {}, host = {}, ...options }: Partial<AgnesOptions> & { env?: Record<string, string> } = {},
): Promise<Agnes> {
  return createAgnes({
    workspace: directory,
    plugins: warehousePlugins(warehouse),
    config: {
      version: 1,
      sources: {
        shop: { plugin: "warehouse" },
        other: { plugin: "warehouse", secrets: { WAREHOUSE_TOKEN: "OTHER_TOKEN" } },
        plain: { plugin: "plain" },
      },
    },
    ...options,
    host: { env: { WAREHOUSE_TOKEN: SECRET, OTHER_TOKEN: SECRET, ...env }, ...host },
  });
}

/** Registers tables of a source as remote; the view of a table of `shop` has its name. */
export async function registerRemote(agnes: Agnes, source: string, names: readonly string[]): Promise<void> {
  const tables = await agnes.tables();
  for (const sourceTable of names)
    await tables.register({
      source,
      sourceTable,
      queryMode: "remote",
      viewName: source === "shop" ? sourceTable : `${source}_${sourceTable}`,
    });
}

export async function withWarehouse(
  work: (agnes: Agnes, warehouse: Warehouse, directory: string) => Promise<void>,
  options: Parameters<typeof openWarehouse>[2] = {},
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "agnes-metadata-"));
  const warehouse = newWarehouse();
  try {
    await using agnes = await openWarehouse(directory, warehouse, options);
    await work(agnes, warehouse, directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A gate that calls wait for until it is opened. */
export function closedGate(warehouse: Warehouse): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  warehouse.gate = promise;
  return resolve;
}

/** Waits until a condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  const endMs = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error("the condition was not met in 20 seconds");
    await Bun.sleep(2);
  }
}

export async function failureOf(work: Promise<unknown>): Promise<AgnesError> {
  return (await work.then(
    () => new Error("it did not fail"),
    (error: unknown) => error,
  )) as AgnesError;
}

/** The state of one table. */
export async function stateOf(agnes: Agnes, table: string) {
  return (await agnes.metadata.status()).tables.find((one) => one.table === table);
}
