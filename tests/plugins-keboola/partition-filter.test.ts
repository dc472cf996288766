import { expect, test } from "bun:test";

import { fakeServer } from "agnes/testing";

import { createHost, silentLog } from "../../lib/base/mod.ts";
import { createEngine } from "../../lib/duckdb/mod.ts";
import { createPluginRegistry } from "../../lib/plugins/mod.ts";
import { connectSource, discoverTables } from "../../lib/sources/mod.ts";
import plugin from "../../plugins/keboola/plugin.ts";
import { rejection } from "./support.ts";

const column = (name: string) => ({ name, definition: { type: "STRING" } });
const table = {
  id: "in.c-bq.events",
  name: "events",
  isTyped: true,
  columns: ["day", "text"],
  bucket: { id: "in.c-bq", backend: "bigquery", hasExternalSchema: false },
};

test("read() refuses a table that requires a partition filter before it starts a job", async () => {
  const server = fakeServer({
    "GET /v2/storage/tokens/verify": () => Response.json({ id: 1, owner: { id: 8625, limits: [] } }),
    "GET /v2/storage/buckets": () => Response.json([table.bucket]),
    "GET /v2/storage/tables": () => Response.json([table]),
    "GET /v2/storage/tables/:id": () =>
      Response.json({
        ...table,
        definition: {
          columns: table.columns.map(column),
          requirePartitionFilter: true,
          timePartitioning: { type: "DAY", field: "day" },
        },
      }),
    "POST /v2/storage/tables/:id/export-async": () => Response.json({ message: "stop" }, { status: 418 }),
  });
  const host = createHost({ fetch: server.fetch, env: { KEBOOLA_STORAGE_TOKEN: "8625-1-token" } });
  const engine = createEngine(host, { memoryMb: 256, threads: 1 });
  await using source = await connectSource(
    { host, log: silentLog, engine, directory: "/" },
    createPluginRegistry([plugin]),
    "kbc",
    { plugin: "keboola", options: { url: "https://connection.keboola.test", allowPrivateAddress: true } },
  );
  const [info] = await discoverTables(source);
  const read = async (filter: object) => {
    const { signal } = new AbortController();
    for await (const _ of source.connector.read!(info!, { batchRows: 1, signal, ...filter }));
  };
  const error = await rejection(read({}));
  expect(error).toMatchObject({ code: "keboola/partition_filter_required" });
  expect(error.message).toEndWith("it requires a condition on its partition column day");
  // A condition that Keboola applies is enough.
  const day = { filter: [{ column: "day", operator: "eq", values: ["2026-01-31"] }] };
  expect(await rejection(read(day))).toMatchObject({ code: "keboola/request_refused" });
  await engine.close();
});
