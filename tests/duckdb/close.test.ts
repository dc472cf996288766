import { readdirSync, readlinkSync } from "node:fs";

import { expect, test } from "bun:test";

import { openStream, type Connection, type Database } from "../../lib/duckdb/mod.ts";
import { collect, numbers, open, rejection, sourceOf, temporaryDirectory } from "./support.ts";

/** The number of open handles of this process to the file. */
function handlesOf(path: string): number {
  return readdirSync("/proc/self/fd").filter((number) => {
    try {
      return readlinkSync(`/proc/self/fd/${number}`).startsWith(path);
    } catch {
      return false;
    }
  }).length;
}

const live = (database: Database, fails = false) =>
  openStream(
    database,
    sourceOf(numbers(0, 1).schema, async function* () {
      yield numbers(0, 10);
      if (fails) throw new Error("the remote said 503");
    }),
  ).relation;

type Use = (connection: Connection, database: Database) => Promise<unknown>;

test.each<[string, Use]>([
  ["statements ran", (connection) => connection.run("CREATE TABLE t AS SELECT 1 AS i; CHECKPOINT; FROM t")],
  ["statements failed", (connection) => rejection(connection.rows("SELECT error('no')"))],
  ["a stream was read", async (connection) => collect((await connection.stream("FROM range(9000)")).batches)],
  [
    "a stream was left",
    async (connection) => {
      for await (const _batch of (await connection.stream("FROM range(100000000)")).batches) break;
    },
  ],
  ["a stream was never begun", (connection) => connection.stream("FROM range(100000000)")],
  [
    "a stream failed",
    async (connection) => {
      const sql = "SELECT CASE WHEN range > 500000 THEN error('no') END FROM range(1000000)";
      return rejection(collect((await connection.stream(sql)).batches));
    },
  ],
  [
    "a stream was aborted",
    async (connection) => {
      const controller = new AbortController();
      const { batches } = await connection.stream("FROM range(100000000)", { signal: controller.signal });
      const reading = async () => {
        for await (const _batch of batches) controller.abort();
      };
      expect((await rejection(reading())).code).toBe("aborted");
    },
  ],
  [
    "a source was written",
    (connection, database) => connection.run(`CREATE TABLE u AS FROM ${live(database)}`),
  ],
  [
    "a source was left",
    async (connection, database) => {
      for await (const _batch of (await connection.stream(`FROM ${live(database)}`)).batches) break;
    },
  ],
  ["a source failed", (connection, database) => rejection(connection.rows(`FROM ${live(database, true)}`))],
])("Database.close() releases its file after %s", async (_what, use) => {
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/a.duckdb`;
  {
    await using session = await open({ path });
    expect(handlesOf(path)).toBeGreaterThan(0);
    await use(session.connection, session.database);
  }
  expect(handlesOf(path)).toBe(0);
});
