/** Mixed requests of 64 clients to a server, while its registry changes and its tables are published again. */
import { writeFile } from "node:fs/promises";

import { memoryMb } from "./process-memory.ts";

const CLIENTS = 64;

/** How long after a change of the registry, and after a sync, the next one begins. */
const CHANGE_MS = 1000;
const SYNC_MS = 5000;

/** What the load needs to know of the server. */
export interface LoadedServer {
  readonly url: string;
  readonly pid: number;
  /** Of analysts. */
  readonly tokens: readonly string[];
  readonly adminToken: string;
  /** The file of the table `shop.orders`. */
  readonly ordersPath: string;
  /** A small query. */
  readonly sql: string;
}

/** Prints the memory at each minute and, at the end, the number of responses by status. */
export async function load(server: LoadedServer, minutes: number): Promise<void> {
  const statuses = new Map<string, number>();
  const endMs = performance.now() + minutes * 60_000;
  const send = async (kind: string, request: Promise<Response>) => {
    const response = await request;
    await response.arrayBuffer();
    const key = `${kind} ${response.status}`;
    statuses.set(key, (statuses.get(key) ?? 0) + 1);
  };
  const calls = mixedCalls(server);
  const client = async (at: number) => {
    for (let turn = at; performance.now() < endMs; turn += 1)
      await send("request", calls[turn % calls.length]!(server.tokens[at % server.tokens.length]!));
  };
  const repeated = async (pauseMs: number, step: (number: number) => Promise<void>) => {
    for (let number = 1; performance.now() < endMs; number += 1) {
      await step(number);
      await Bun.sleep(pauseMs);
    }
  };
  const { adminToken, ordersPath, url } = server;
  const admin = (method: string, path: string, body: object) =>
    fetch(new URL(path, url), { method, headers: headersOf(adminToken), body: JSON.stringify(body) });
  const changes = repeated(CHANGE_MS, (number) =>
    send(
      "change",
      admin("PATCH", "api/admin/registry/shop.orders/docs", { description: `Orders, change ${number}` }),
    ),
  );
  const syncs = repeated(SYNC_MS, async (number) => {
    await writeFile(ordersPath, ordersCsv(number));
    await send("sync", admin("POST", "api/sync/trigger?source=shop", {}));
  });
  const clients = Array.from({ length: CLIENTS }, (_, at) => client(at));
  await Promise.all([watchMemory(server.pid, minutes), changes, syncs, ...clients]);
  const health = await fetch(new URL("api/health", url), { headers: headersOf(adminToken) });
  const { generation } = (await health.json()) as { readonly generation: number };
  console.log("responses:", Object.fromEntries([...statuses].toSorted(byName)), "generation:", generation);
}

const byName = ([a]: readonly [string, number], [b]: readonly [string, number]) => (a < b ? -1 : 1);

/** The rows of the table `orders`. @param change differs for each content */
export function ordersCsv(change: number): string {
  const rows = Array.from({ length: 10_000 }, (_, id) => `${id},c${(id + change) % 97},${id / 4}`);
  return `id,customer,amount\n${rows.join("\n")}\n`;
}

function headersOf(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}`, "content-type": "application/json" };
}

function mixedCalls({ url, sql }: LoadedServer): readonly ((token: string) => Promise<Response>)[] {
  const query = (text: string, format: string) => (token: string) =>
    fetch(new URL(`api/query?format=${format}`, url), {
      method: "POST",
      headers: headersOf(token),
      body: JSON.stringify({ sql: text }),
    });
  const get = (path: string) => (token: string) => fetch(new URL(path, url), { headers: headersOf(token) });
  return [
    query(sql, "json"),
    query("SELECT customer, sum(amount) AS total FROM orders GROUP BY ALL ORDER BY 1", "csv"),
    query("SELECT * FROM orders", "arrow"),
    // It has the status 404.
    query("SELECT * FROM missing", "json"),
    get("api/v2/catalog"),
    get("api/v2/schema/orders"),
    get("api/v2/sample/orders"),
    get("api/health"),
  ];
}

async function watchMemory(pid: number, minutes: number): Promise<void> {
  let firstMb = 0;
  for (let minute = 0; minute <= minutes; minute += 1) {
    const { server, workers } = await memoryMb(pid);
    if (minute === 1) firstMb = server + workers;
    const ratio = minute === 0 ? "" : `, ${((server + workers) / firstMb).toFixed(2)} of minute 1`;
    console.log(
      `minute ${minute}: ${server.toFixed(0)} MB of the server, ${workers.toFixed(0)} of its workers${ratio}`,
    );
    if (minute < minutes) await Bun.sleep(60_000 * Math.min(1, minutes - minute));
  }
}
