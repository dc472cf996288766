import { expect, spyOn, test } from "bun:test";

import { rebuildAnalytics } from "../../lib/analytics/rebuild.ts";
import type { Connection } from "../../lib/duckdb/connection.ts";
import { Database } from "../../lib/duckdb/database.ts";
import { KeptStatements } from "../../lib/duckdb/kept-statements.ts";
import { IdleConnections } from "../../lib/query/idle-connections.ts";
import { writeExtract } from "../analytics/extract-files.ts";
import { codeOf } from "./workers/isolated.ts";
import { published, rowsOf, testServices } from "./published.ts";

const SQL = "SELECT id, label FROM orders WHERE id < 20 ORDER BY id";

/** Counts the connections that are opened and the statements that are prepared for later while work runs. */
async function counted(work: () => Promise<unknown>) {
  const connect = spyOn(Database.prototype, "connect");
  const prepare = spyOn(KeptStatements.prototype, "add");
  try {
    await work();
    return { connections: connect.mock.calls.length, statements: prepare.mock.calls.length };
  } finally {
    connect.mockRestore();
    prepare.mockRestore();
  }
}

test("a query that ran before opens no connection and prepares no statement", async () => {
  await using shared = await published();
  const { session } = shared;
  const first = await rowsOf(session, SQL);
  const again = await counted(async () => {
    for (let n = 0; n < 5; n++) expect(await rowsOf(session, SQL)).toEqual(first);
  });
  expect(again).toEqual({ connections: 0, statements: 0 });
});

test("a connection is not used again after an error, a stop, a limit, a bound, a macro or trusted SQL", async () => {
  await using shared = await published();
  const { session } = shared;
  const uses: readonly (() => Promise<unknown>)[] = [
    () => codeOf(rowsOf(session, "SELECT error('x' || id) AS e FROM orders")),
    () => rowsOf(session, SQL, { limits: { maxRows: 1 } }),
    () => rowsOf(session, "SELECT repeat(label, 2) AS r FROM orders LIMIT 1"),
    () => rowsOf(session, "SELECT current_database() AS d FROM orders LIMIT 1"),
    () => rowsOf(session, "SELECT setseed(0.5) FROM orders LIMIT 1", { trusted: true }),
    async () => (await session.runQuery({ sql: SQL })).close(),
    async () => {
      const stop = new AbortController();
      const { batches } = await session.runQuery({ sql: "SELECT * FROM orders", signal: stop.signal });
      stop.abort();
      return codeOf(
        (async () => {
          for await (const batch of batches) expect(batch.numRows).toBeGreaterThan(0);
        })(),
      );
    },
  ];
  for (const use of uses) {
    await use();
    const { connections } = await counted(use);
    expect({ use: String(use), connections }).toEqual({ use: String(use), connections: 1 });
  }
});

test("a kept statement reads the current generation, the current files and the current time", async () => {
  await using shared = await published();
  const { data, session } = shared;
  const count = "SELECT count(*) AS n, max(now()) AS t FROM orders";
  const [first] = await rowsOf(session, count);
  const [second] = await rowsOf(session, count);
  expect(second!["n"]).toBe(first!["n"]);
  expect(Number(second!["t"])).toBeGreaterThan(Number(first!["t"]));
  const rows = "SELECT range AS id, range AS customer, 'x' AS label, 1 AS added FROM range(3)";
  await writeExtract(data, "crm", { tables: [{ name: "orders", rows }] });
  await rebuildAnalytics(testServices(), { dataDirectory: data, owners: null });
  expect((await rowsOf(session, count))[0]!["n"]).toBe(3n);
  expect(await rowsOf(session, "SELECT max(added) AS s FROM orders")).toEqual([{ s: 1 }]);
});

test("as many connections as queries need at once are kept, and the others are closed", async () => {
  const idle = new IdleConnections();
  const closed: number[] = [];
  const connections = Array.from({ length: 40 }, (_, at) => ({
    isReusable: true,
    close: async () => void closed.push(at),
  })) as unknown as Connection[];
  expect(idle.take()).toBeUndefined();
  for (const connection of connections) expect(idle.add(connection)).toBe(true);
  for (let n = 0; n < 200 && closed.length < 38; n++) {
    const used = [idle.take()!, idle.take()!];
    for (const connection of used.toReversed()) expect(idle.add(connection)).toBe(true);
    await Bun.sleep(50);
  }
  expect(closed).toEqual(Array.from({ length: 38 }, (_, at) => at));
  expect([idle.take(), idle.take()]).toEqual([connections[39], connections[38]]);
});

test("unused connections, whose statements hold files open, are closed", async () => {
  await using shared = await published();
  const { session } = shared;
  await rowsOf(session, SQL);
  const add = spyOn(IdleConnections.prototype, "add");
  await rowsOf(session, SQL);
  // Other sessions of the process have idle connections too: only the one that was just used counts.
  const mine = add.mock.calls.at(-1)![0];
  expect(add.mock.results.at(-1)!.value).toBe(true);
  add.mockRestore();
  const close = spyOn(mine, "close");
  for (let n = 0; n < 100 && close.mock.calls.length === 0; n++) await Bun.sleep(100);
  expect(close.mock.calls.length).toBe(1);
  expect(await rowsOf(session, SQL)).toHaveLength(20);
});
