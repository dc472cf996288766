/**
 * A large table of BigQuery through the connector, by the Storage Read API, and the runtime to a published extract, against
 * Google's client alone, which reads the same streams and decodes the same Arrow batches. A server in a process of its own
 * sends batches that it has encoded before. The time of one bare COPY of DuckDB, from its memory to Parquet, is reported too,
 * because the client alone writes nothing.
 *
 *   npx bun bench/bigquery-storage.ts [--rows 4000000] [--rounds 5]
 */
import { BigQueryReadClient, protos } from "@google-cloud/bigquery-storage";
import * as grpc from "@grpc/grpc-js";
import * as arrow from "apache-arrow";
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { createHost } from "../lib/base/mod.ts";
import { openDatabase, quoteLiteral } from "../lib/duckdb/mod.ts";
import plugin from "../plugins/bigquery/plugin.ts";
import { fakeBigQuery, type FakeCell, type FakeField } from "../tests/fakes/bigquery/mod.ts";
import { arrowMessages } from "../tests/fakes/bigquery/storage-arrow.ts";
import { serverOf } from "../tests/fakes/bigquery/storage.ts";
import { median, publishTable, timed, type Spent } from "./connector.ts";

const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "4000000" },
    rounds: { type: "string", default: "5" },
    serve: { type: "boolean", default: false },
  },
});

const STREAMS = 4;
const BATCH_ROWS = 16_384;
/** More batches are repetitions. */
const DIFFERENT_BATCHES = 8;
const v1 = protos.google.cloud.bigquery.storage.v1;

const batchRows = Math.min(BATCH_ROWS, Math.ceil(Number(values.rows) / STREAMS));
/** The responses of each stream. */
const responses = Math.ceil(Number(values.rows) / STREAMS / batchRows);
const rows = responses * STREAMS * batchRows;

const fields: readonly FakeField[] = [
  { name: "id", type: "INTEGER", mode: "REQUIRED" },
  { name: "customer", type: "STRING" },
  { name: "token", type: "STRING" },
  { name: "amount", type: "NUMERIC" },
  { name: "score", type: "FLOAT" },
  { name: "quantity", type: "INTEGER" },
  { name: "is_paid", type: "BOOLEAN" },
  { name: "created", type: "TIMESTAMP" },
];

const row = (id: number): FakeCell[] => [
  String(id),
  `customer ${(id * 7919) % 10_000} & partners é`,
  Bun.hash(String(id)).toString(16).padStart(16, "0"),
  `${(id * 31) % 200_000}.${id % 10}5`,
  String(((id * 17) % 1_000_000) / 64),
  id % 10 === 9 ? null : String((id * 13) % 1000),
  String(id % 3 === 0),
  String(1_577_836_800_000_000n + BigInt(id) * 7_000_001n),
];

if (values.serve) await serve();
else await compare();

/** Serves one table by its streams, until the parent ends. */
async function serve(): Promise<void> {
  const cells = Array.from({ length: DIFFERENT_BATCHES * batchRows }, (_, id) => row(id));
  const { schema, batches } = arrowMessages(fields, cells, batchRows);
  const encoded = batches.map(({ message }) =>
    Buffer.from(
      v1.ReadRowsResponse.encode({
        rowCount: batchRows,
        arrowRecordBatch: { serializedRecordBatch: message },
      }).finish(),
    ),
  );
  const session = "projects/shop-1/locations/eu/sessions/s1";
  const server = serverOf(
    async () => ({
      name: session,
      arrowSchema: { serializedSchema: schema },
      streams: Array.from({ length: STREAMS }, (_, at) => ({ name: `${session}/streams/${at}` })),
      estimatedTotalBytesScanned: 1,
      estimatedRowCount: rows,
    }),
    async (call) => {
      for (let at = 0; at < responses; at += 1) {
        if (!call.write(encoded[at % encoded.length]!))
          await new Promise((resolve) => call.once("drain", resolve));
      }
    },
  );
  server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (_error, port) =>
    console.log(String(port)),
  );
  process.stdin.resume().once("end", () => process.exit(0));
}

async function compare(): Promise<void> {
  const child = spawn(process.execPath, [import.meta.path, "--serve", "--rows", values.rows], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const directory = await mkdtemp(join(tmpdir(), "agnes-bench-"));
  try {
    const port = await portOf(child);
    const rounds: Record<"client" | "copy" | "connector", Spent>[] = [];
    for (let round = 0; round < Number(values.rounds); round += 1) {
      const client = await timed(() => readAlone(port));
      const copy = await copyAlone(join(directory, "bare.parquet"));
      const extract = join(directory, "extract");
      const connector = await timed(() => sync(port, extract));
      await rm(extract, { recursive: true });
      rounds.push({ client, copy, connector });
    }
    report(rounds);
  } finally {
    child.kill();
    await rm(directory, { recursive: true, force: true });
  }
}

function report(rounds: readonly Record<"client" | "copy" | "connector", Spent>[]): void {
  const middle = (of: (round: (typeof rounds)[number]) => number) => median(rounds, of);
  console.log(`${rows} rows × ${fields.length} columns in ${STREAMS} streams`);
  for (const [name, title] of [
    ["client", "the client alone, decoded"],
    ["copy", "DuckDB alone, memory to Parquet"],
    ["connector", "connector and runtime, published"],
  ] as const)
    console.log(
      `  ${title}: ${middle((one) => one[name].seconds)} s, ${middle((one) => one[name].cpu)} s of processor time`,
    );
  console.log(
    `  ratio ${middle((one) => one.client.seconds / one.connector.seconds)} to the client alone (at least 0.8), ` +
      `${middle((one) => (one.client.seconds + one.copy.seconds) / one.connector.seconds)} to the client and then DuckDB`,
  );
}

function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.stdout!.once("data", (text: Buffer) => resolve(Number(String(text))));
    child.once("exit", () => reject(new Error("the server did not start")));
  });
}

/** Reads all streams at once by Google's client, and decodes their batches. */
async function readAlone(port: number): Promise<void> {
  const client = new BigQueryReadClient({
    servicePath: "127.0.0.1",
    port,
    sslCreds: grpc.credentials.createInsecure() as never,
    auth: { getUniverseDomain: () => Promise.resolve("googleapis.com") } as never,
  });
  const [session] = await client.createReadSession({
    parent: "projects/shop-1",
    readSession: { table: "projects/shop-1/datasets/shop/tables/orders", dataFormat: "ARROW" },
    maxStreamCount: STREAMS,
  });
  const schema = session.arrowSchema!.serializedSchema as Uint8Array;
  let count = 0;
  await Promise.all(
    session.streams!.map(async ({ name }) => {
      for await (const response of client.readRows({ readStream: name! })) {
        const { serializedRecordBatch } = (
          response as protos.google.cloud.bigquery.storage.v1.IReadRowsResponse
        ).arrowRecordBatch!;
        const bytes = Buffer.concat([schema, serializedRecordBatch as Uint8Array]);
        for (const batch of arrow.RecordBatchReader.from(bytes)) count += batch.numRows;
      }
    }),
  );
  await client.close();
  if (count !== rows) throw new Error(`${count} rows`);
}

/** Times one COPY of such rows, which are in DuckDB's memory. */
async function copyAlone(path: string): Promise<Spent> {
  await using database = await openDatabase();
  await using connection = await database.connect();
  await connection.run(`CREATE TABLE orders AS SELECT i AS id,
    'customer ' || (i * 7919 % 10000) || ' & partners é' AS customer,
    substr(md5((i % ${DIFFERENT_BATCHES * batchRows})::VARCHAR), 1, 16) AS token,
    ((i * 31 % 200000) + 0.05)::DECIMAL(38,9) AS amount, (i * 17 % 1000000) / 64 AS score,
    CASE WHEN i % 10 <> 9 THEN i * 13 % 1000 END AS quantity, i % 3 = 0 AS is_paid,
    make_timestamptz(1577836800000000 + i * 7000001) AS created FROM range(${rows}) t(i)`);
  const spent = await timed(() =>
    connection.run(`COPY orders TO ${quoteLiteral(path)} (FORMAT parquet, COMPRESSION zstd)`),
  );
  await rm(path);
  return spent;
}

/** Reads the table through the connector and publishes it. */
async function sync(port: number, target: string): Promise<void> {
  const resource = { numBytes: "1000000000", numRows: String(rows) };
  const tables = [{ dataset: "shop", id: "orders", fields, rows: [], resource }];
  await using server = fakeBigQuery({ tables });
  const host = createHost({
    fetch: server.fetch,
    env: { BIGQUERY_SERVICE_ACCOUNT_JSON: server.signIn.serviceAccount },
  });
  const options = {
    project: server.project,
    storageEndpoint: `http://127.0.0.1:${port}`,
    maxBytesPerQuery: Number.MAX_SAFE_INTEGER,
  };
  await publishTable({ host, plugin, options, target, rows });
}
