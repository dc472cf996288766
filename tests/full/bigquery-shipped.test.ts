import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";

import type { Agnes } from "agnes";

import { fakeBigQuery, type FakeCell, type FakeField, type FakeTable } from "../fakes/bigquery/mod.ts";
import { openShippedShop, resultOf, SHIPPED, shippedTables } from "../plugins-bigquery/shipped-shop.ts";
import { temporaryFolder } from "../sync/workspace.ts";
import { openEmulator, type Emulator } from "./bigquery-emulator.ts";
import { randomStatements } from "./shipped-statements.ts";

setDefaultTimeout(600_000);

const NAMES = ["sales", "countries", "nothing"];
const SEEDS = [1, 2, 3, 4, 5, 6];
const STATEMENTS = 40;

describe.each(SEEDS)("bigquery: random whole queries, seed %d", (seed) => {
  test("return what they return over local copies", async () => {
    const tables = shippedTables(20 * seed, seed);
    await using server = fakeBigQuery({ tables, script: { polls: 0 } });
    using folder = temporaryFolder();
    await using agnes = await openShippedShop(folder.path, {
      fetch: server.fetch,
      serviceAccount: server.signIn.serviceAccount,
      options: { project: server.project },
      tables: NAMES,
    });
    for (const sql of randomStatements(seed, STATEMENTS)) await compare(agnes, sql);
  });
});

describe("bigquery: whole queries in the emulator", () => {
  const folder = temporaryFolder();
  let emulator: Emulator;
  let agnes: Agnes;
  beforeAll(async () => {
    emulator = await openEmulator();
    const datasetReference = { projectId: "p-1", datasetId: "shop" };
    await emulator.post("/datasets", { datasetReference, location: "US" });
    for (const table of shippedTables()) await create(emulator, table);
    agnes = await openShippedShop(folder.path, {
      fetch: exactEstimates,
      serviceAccount: "{}",
      options: { project: "p-1", apiEndpoint: emulator.url },
      tables: NAMES,
    });
  });
  afterAll(async () => {
    await agnes?.close();
    await emulator?.[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  test.each(SHIPPED)("%s", async (sql) => {
    await compare(agnes, sql);
  });
});

async function compare(agnes: Agnes, sql: string): Promise<void> {
  const local = await resultOf(agnes, sql.replaceAll("r.", "l."));
  const { rows, columns, receipt } = await resultOf(agnes, sql);
  const modes = receipt.remotes.map(({ accessMode }) => accessMode);
  expect({ sql, columns, rows, modes }).toEqual({
    sql,
    columns: local.columns,
    rows: local.rows,
    modes: receipt.tables.map(() => "shipped"),
  });
}

/** The emulator does not report how accurate its estimate is, and without that nothing is run. */
async function exactEstimates(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  if (!url.endsWith("/jobs") || !response.ok) return response;
  const job = (await response.json()) as { statistics: { query?: object } };
  const query = { totalBytesProcessedAccuracy: "PRECISE", ...job.statistics.query };
  return Response.json({ ...job, statistics: { ...job.statistics, query } });
}

async function create(emulator: Emulator, { id, fields, rows = [] }: FakeTable): Promise<void> {
  // The emulator loses the precision of a column.
  const plain = fields.map(({ name, type, mode = "NULLABLE" }) => ({ name, type, mode }));
  const tableReference = { projectId: "p-1", datasetId: "shop", tableId: id };
  await emulator.post("/datasets/shop/tables", { tableReference, schema: { fields: plain } });
  if (rows.length === 0) return;
  const names = fields.map(({ name }) => `\`${name}\``).join(", ");
  const values = rows.map((row) => `(${row.map((cell, at) => literal(fields[at]!, cell)).join(", ")})`);
  const query = `INSERT INTO \`p-1\`.\`shop\`.\`${id}\` (${names}) VALUES ${values.join(", ")}`;
  await emulator.post("/queries", { query, useLegacySql: false });
}

function literal({ type }: FakeField, cell: FakeCell): string {
  if (cell === null) return "NULL";
  const text = cell as string;
  switch (type) {
    case "STRING":
      return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
    case "NUMERIC":
    case "DATE":
    case "DATETIME":
      return `${type} '${text.replace("T", " ")}'`;
    case "TIMESTAMP":
      return `TIMESTAMP_MICROS(${text})`;
    case "FLOAT":
      // The emulator returns NaN and infinity in another spelling than BigQuery.
      return `CAST('${Number.isFinite(Number(text)) ? text : "1.5"}' AS FLOAT64)`;
    default:
      return text;
  }
}
