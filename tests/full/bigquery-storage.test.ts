import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";

import { arrow, type Batch, type Filter, type ReadOptions } from "agnes/kit";

import { openChannel } from "../../plugins/bigquery/storage/channel.ts";
import type { FakeBigQuery } from "../fakes/bigquery/mod.ts";
import { rowsOf } from "../plugins-bigquery/storage-support.ts";
import { connect } from "../plugins-bigquery/support.ts";
import { openEmulator, type Emulator } from "./bigquery-emulator.ts";

setDefaultTimeout(600_000);

const { signal } = new AbortController();
/** The emulator has several streams for tables above 1 MB, and responses of 65,536 rows. */
const ROWS = 200_000;
const FIELDS = [
  { name: "id", type: "INTEGER", mode: "REQUIRED" },
  { name: "amount", type: "NUMERIC" },
  { name: "ratio", type: "FLOAT" },
  { name: "is_open", type: "BOOLEAN" },
  { name: "note", type: "STRING" },
  { name: "day", type: "DATE" },
  { name: "at", type: "TIMESTAMP" },
  { name: "local_at", type: "DATETIME" },
  { name: "clock", type: "TIME" },
  { name: "data", type: "BYTES" },
  { name: "numbers", type: "INTEGER", mode: "REPEATED" },
];
const FIRST = `(0, NUMERIC '10.25', 0.5, true, 'Čapek', DATE '2026-01-31', TIMESTAMP '2026-01-31 10:00:00.123456+00',
  DATETIME '2026-01-31 10:00:00.000001', TIME '23:59:59.999999', b'ab', [1, 2])`;
const OTHERS = `SELECT i, CAST(NULL AS NUMERIC), CAST(NULL AS FLOAT64), CAST(NULL AS BOOL), CONCAT('note ', CAST(i AS STRING)),
  CAST(NULL AS DATE), CAST(NULL AS TIMESTAMP), CAST(NULL AS DATETIME), CAST(NULL AS TIME), CAST(NULL AS BYTES), CAST([] AS ARRAY<INT64>)
  FROM UNNEST(GENERATE_ARRAY(1, ${ROWS - 1})) AS i`;

describe("bigquery: the Storage Read API of the emulator", () => {
  let emulator: Emulator;
  beforeAll(async () => {
    emulator = await openEmulator();
    await emulator.post("/datasets", {
      datasetReference: { projectId: "p-1", datasetId: "shop" },
      location: "US",
    });
    const names = FIELDS.map(({ name }) => `\`${name}\``).join(", ");
    for (const tableId of ["orders", "nothing"]) {
      const tableReference = { projectId: "p-1", datasetId: "shop", tableId };
      await emulator.post("/datasets/shop/tables", { tableReference, schema: { fields: FIELDS } });
    }
    const into = `INSERT INTO \`p-1\`.\`shop\`.\`orders\` (${names})`;
    for (const rows of [`VALUES ${FIRST}`, OTHERS])
      await emulator.post("/queries", { query: `${into} ${rows}`, useLegacySql: false });
    for (const day of ["20260101", "20260102"]) {
      const tableReference = { projectId: "p-1", datasetId: "shop", tableId: `events_${day}` };
      await emulator.post("/datasets/shop/tables", {
        tableReference,
        schema: { fields: FIELDS.slice(0, 2) },
      });
      const query = `INSERT INTO \`p-1\`.\`shop\`.\`events_${day}\` (id, amount) VALUES (${day}, 1.5), (2, 2.5), (3, NULL)`;
      await emulator.post("/queries", { query, useLegacySql: false });
    }
  });
  afterAll(() => emulator[Symbol.asyncDispose]());

  /** The tables are too small for a session, and a dry run does not report how accurate its estimate is. */
  const fetchOf = async (url: string, init: RequestInit) => {
    const response = await fetch(url, init);
    if (url.endsWith("/jobs") && response.ok) {
      const job = (await response.json()) as { statistics: { query?: object } };
      const query = { totalBytesProcessedAccuracy: "PRECISE", ...job.statistics.query };
      return Response.json({ ...job, statistics: { ...job.statistics, query } });
    }
    if (!/\/tables\/\w+$/.test(url)) return response;
    return Response.json({ ...((await response.json()) as object), numBytes: "20000000" });
  };
  const open = async () => {
    const server = { fetch: fetchOf, project: "p-1", signIn: { serviceAccount: "{}" } };
    const endpoints = { apiEndpoint: emulator.url, storageEndpoint: emulator.storageUrl };
    const { connector, tables, log } = await connect(server as unknown as FakeBigQuery, endpoints);
    return {
      async read(name: string, options: Partial<ReadOptions> = {}) {
        const info = (await tables()).get(name)!;
        const batches: arrow.RecordBatch[] = [];
        const read = connector.read!(info, { batchRows: 8192, signal, ...options });
        for await (const batch of read as AsyncIterable<Batch>) {
          // Rows of a job are objects.
          expect(batch).toBeInstanceOf(arrow.RecordBatch);
          batches.push(batch as arrow.RecordBatch);
        }
        return batches.flatMap(rowsOf);
      },
      log,
      [Symbol.asyncDispose]: async () => connector.close!(),
    };
  };

  test("a table is read by several streams, with all types", async () => {
    await using source = await open();
    const rows = await source.read("shop.orders");
    expect(new Set(rows.map(({ id }) => id)).size).toBe(ROWS);
    expect(rows).toHaveLength(ROWS);
    expect(rows.find(({ id }) => id === "0")).toEqual({
      id: "0",
      amount: "10250000000",
      ratio: 0.5,
      is_open: true,
      note: "Čapek",
      day: Date.UTC(2026, 0, 31),
      at: Date.UTC(2026, 0, 31, 10) + 123.456,
      local_at: Date.UTC(2026, 0, 31, 10) + 0.001,
      clock: "86399999999",
      data: { 0: 97, 1: 98 },
      numbers: ["1", "2"],
    });
    expect(rows.find(({ id }) => id === "7")).toMatchObject({
      amount: null,
      note: "note 7",
      at: null,
      numbers: [],
    });
    const session = source.log.entries.find(({ message }) => message.endsWith("is open"))!;
    expect(session.fields).toMatchObject({ streams: 4 });
  });

  test("columns and conditions are applied by the server", async () => {
    await using source = await open();
    const filter: readonly Filter[] = [
      { column: "id", operator: "ge", values: [5] },
      { column: "id", operator: "lt", values: [8] },
      { column: "note", operator: "ne", values: ["note 6"] },
    ];
    const rows = await source.read("shop.orders", { filter, columns: ["note", "id"] });
    expect(rows).toEqual([
      { note: "note 5", id: "5" },
      { note: "note 7", id: "7" },
    ]);
  });

  test("tables by date are read by a session each, with their date", async () => {
    await using source = await open();
    const filter: readonly Filter[] = [{ column: "id", operator: "ne", values: [2] }];
    const rows = await source.read("shop.events_YYYYMMDD", { byOrigin: true, filter });
    const row = (day: number) => [
      {
        id: `202601${String(day).padStart(2, "0")}`,
        amount: "1500000000",
        shard_date: Date.UTC(2026, 0, day),
      },
      { id: "3", amount: null, shard_date: Date.UTC(2026, 0, day) },
    ];
    expect(rows).toEqual([...row(1), ...row(2)]);
    expect(source.log.entries.filter(({ message }) => message.endsWith("is open"))).toHaveLength(2);
  });

  test("a table without rows has none", async () => {
    await using source = await open();
    expect(await source.read("shop.nothing")).toEqual([]);
  });

  test("ReadRows ignores the offset, unlike the service, so that resuming is tested with our fake", async () => {
    const channel = await openChannel({
      endpoint: emulator.storageUrl,
      bearer: undefined,
      idleMs: 60_000,
    });
    try {
      const session = await channel.createReadSession(
        {
          parent: "projects/p-1",
          table: "projects/p-1/datasets/shop/tables/orders",
          columns: ["id"],
          restriction: "id < 10",
          snapshot: new Date().toISOString(),
          streamsMax: 1,
        },
        signal,
      );
      const responses = await Array.fromAsync(channel.readRows(session.streams[0]!.name, 4, signal));
      expect(responses.map(({ rowCount }) => rowCount)).toEqual(["10"]);
      // By this a stream that begins again is recognised.
      expect(responses[0]!.stats!.progress!.atResponseStart).toBe(0);
    } finally {
      channel.close();
    }
  });
});
