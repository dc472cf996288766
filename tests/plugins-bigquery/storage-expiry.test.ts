import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { status } from "@grpc/grpc-js";

import { createAgnes, type Agnes } from "agnes";

import { temporaryFolder } from "../sync/workspace.ts";
import plugin from "../../plugins/bigquery/plugin.ts";
import { fakeBigQuery, type FakeTable } from "../fakes/bigquery/mod.ts";
import { fakeStorage, type FakeStorage } from "../fakes/bigquery/storage.ts";
import { large } from "./storage-support.ts";

setDefaultTimeout(60_000);

const EXPIRED = {
  code: status.FAILED_PRECONDITION,
  message: "there was an error operating on 's': session expired at 2026-11-27T00:06:18+00:00",
};

const ids = (count: number) => Array.from({ length: count }, (_, id) => id);
const sessionOf = (stream: string) => Number(/\/sessions\/s(\d+)\//.exec(stream)![1]);

/** A workspace with one registered table, over both fakes. */
async function withTable(
  table: FakeTable,
  settings: { readonly syncStrategy?: "incremental" },
  work: (agnes: Agnes, storage: FakeStorage) => Promise<void>,
): Promise<void> {
  using folder = temporaryFolder();
  await using server = fakeBigQuery({ tables: [table], script: { polls: 0 } });
  await using storage = await fakeStorage({ tables: [table], script: { batchRows: 5 } });
  const options = { project: server.project, storageEndpoint: storage.url };
  await using agnes = await createAgnes({
    workspace: folder.path,
    plugins: [plugin],
    host: {
      fetch: server.fetch,
      env: { BIGQUERY_SERVICE_ACCOUNT_JSON: server.signIn.serviceAccount },
    },
    config: { version: 1, sources: { bq: { plugin: "bigquery", options } } },
  });
  const tables = await agnes.tables();
  await tables.register({ source: "bq", sourceTable: "shop.t", name: "t", ...settings });
  await work(agnes, storage);
}

const WHOLE = large({
  dataset: "shop",
  id: "t",
  fields: [{ name: "id", type: "INTEGER" }],
  rows: ids(60).map((id) => [String(id)]),
});

const LARGE_BYTES = 20_000_000;
const DAYS = ["2026-01-01", "2026-01-02", "2026-01-03"];
const PARTITIONED: FakeTable = {
  ...WHOLE,
  fields: [
    { name: "id", type: "INTEGER" },
    { name: "day", type: "DATE" },
  ],
  rows: ids(60).map((id) => [String(id), DAYS[id % 3]!]),
  partitions: DAYS.map((day) => ({
    id: day.replaceAll("-", ""),
    modified: "1767225600000000",
    rows: 20,
    bytes: LARGE_BYTES,
  })),
  resource: {
    numBytes: String(3 * LARGE_BYTES),
    timePartitioning: { type: "DAY", field: "day" },
    lastModifiedTime: "1767225600000",
  },
};

const published = (agnes: Agnes) => agnes.rows("SELECT id::INT AS id FROM t ORDER BY id");
const expected = ids(60).map((id) => ({ id }));

describe("bigquery: a session that expires in a sync", () => {
  test.each([0, 1, 2, 4])("after %d responses of a stream loses and repeats no row", async (responses) => {
    await withTable(WHOLE, {}, async (agnes, storage) => {
      storage.script.cut = ({ stream }, response) => {
        if (sessionOf(stream) > 1 || response < responses) return null;
        // The next session has other streams, so their rows are in another order.
        storage.script.streams = 2;
        return EXPIRED;
      };
      const { sources } = await agnes.sync();
      const { tables, errors } = sources[0]!.stats!;
      expect(errors).toEqual([]);
      expect(await published(agnes)).toEqual(expected);
      expect(tables[0]).toMatchObject({ rowsRead: 60, rows: 60 });
      expect(tables[0]!.jobs!.map(({ status: one }) => one)).toEqual(["cancelled", "done"]);
      expect(storage.sessions).toHaveLength(2);
    });
  });

  test("twice fails the table, whose published rows stay", async () => {
    await withTable(WHOLE, {}, async (agnes, storage) => {
      expect((await agnes.sync()).status).toBe("complete");
      storage.script.cut = (_read, response) => (response === 2 ? EXPIRED : null);
      const { sources } = await agnes.sync();
      expect(sources[0]!.stats!.errors[0]!.error).toMatchObject({
        code: "read_expired",
        message: expect.stringContaining("the source ended the read of table shop.t"),
        hint: expect.stringContaining("Run it again."),
      });
      expect(storage.sessions).toHaveLength(3);
      expect(await published(agnes)).toEqual(expected);
      storage.script.cut = () => null;
      expect((await agnes.sync()).status).toBe("complete");
    });
  });

  test("amid the partitions of a table reads all of them again, as they are at one later time", async () => {
    await withTable(PARTITIONED, { syncStrategy: "incremental" }, async (agnes, storage) => {
      storage.script.cut = ({ stream }, response) =>
        sessionOf(stream) === 2 && response === 1 ? EXPIRED : null;
      const { sources } = await agnes.sync();
      expect(sources[0]!.stats!.errors).toEqual([]);
      expect(await published(agnes)).toEqual(expected);
      const times = storage.sessions.map(({ readSession }) => {
        const { seconds, nanos } = readSession!.tableModifiers!.snapshotTime!;
        return Number(seconds) * 1000 + nanos! / 1e6;
      });
      expect(times).toHaveLength(5);
      expect(new Set(times.slice(0, 2)).size).toBe(1);
      expect(new Set(times.slice(2)).size).toBe(1);
      expect(times[2]).toBeGreaterThanOrEqual(times[1]!);
      // The state is that of the second read.
      await agnes.sync();
      expect(storage.sessions).toHaveLength(5);
      expect(await published(agnes)).toEqual(expected);
    });
  });
});
