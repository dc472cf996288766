import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect, createServer } from "node:net";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import { extensionFile } from "./extensions.ts";
import { runPython } from "./python.ts";
import { headersOf, makeShop, startServer, type RunningServer, type ServedShop } from "./serve-process.ts";

const FORMATS = ["json", "ndjson", "csv", "arrow", "parquet"] as const;
type Format = (typeof FORMATS)[number];

const ROWS = 5_000_000;
/** JSON has no more rows. */
const JSON_ROWS = 1_000_000;

let shop: ServedShop;
let server: RunningServer;
beforeAll(async () => {
  shop = await makeShop();
  server = await startServer(shop.path);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await shop[Symbol.asyncDispose]();
});

const rowsOf = (format: Format) => (format === "json" ? JSON_ROWS : ROWS);

/** A query whose last row fails, or which is whole. */
function bodyOf(format: Format, isWhole = false): { readonly sql: string; readonly limit: number } {
  const rows = rowsOf(format);
  const text = `CASE WHEN range = ${isWhole ? -1 : rows - 1} THEN 'no number' ELSE range::VARCHAR END`;
  return { sql: `SELECT (${text})::BIGINT AS n FROM range(${rows})`, limit: rows };
}

const searchOf = (format: Format) => `/api/query?format=${format}`;

/** Runs curl, and returns its exit status and the number of bytes. */
async function curl(format: Format, isWhole: boolean): Promise<readonly [status: number, bytes: number]> {
  const headers = ["-H", `authorization: Bearer ${shop.tokens.ann}`, "-H", "content-type: application/json"];
  const data = ["--data", JSON.stringify(bodyOf(format, isWhole))];
  const child = Bun.spawn(
    ["curl", "-sS", "--fail", "-o", "-", ...headers, ...data, `${server.url}${searchOf(format)}`],
    { stdout: "pipe", stderr: "ignore" },
  );
  let bytes = 0;
  for await (const chunk of child.stdout) bytes += chunk.length;
  return [await child.exited, bytes];
}

test.each(FORMATS)("an error in the last of all rows fails curl and fetch in %s", async (format) => {
  const [status] = await curl(format, false);
  expect(status).not.toBe(0);
  const response = await server.query(shop.tokens.ann, bodyOf(format), { search: `?format=${format}` });
  const outcome = await response.arrayBuffer().then(
    () => "whole",
    () => "broken",
  );
  // Parquet is complete before its first bytes are sent.
  expect([response.status, outcome]).toEqual(format === "parquet" ? [400, "whole"] : [200, "broken"]);
  const [whole, bytes] = await curl(format, true);
  expect(whole).toBe(0);
  expect(bytes).toBeGreaterThan(rowsOf(format));
});

test("an error in the last of all rows fails pyarrow", () => {
  const read = (isWhole: boolean) => {
    const body = JSON.stringify(bodyOf("arrow", isWhole));
    return runPython("serve-readers.py", `${server.url}${searchOf("arrow")}`, shop.tokens.ann, body).trim();
  };
  expect(read(true)).toBe(String(ROWS));
  expect(read(false)).toStartWith("broken");
});

/**
 * DuckDB can only GET. This makes a POST of a GET, and passes all bytes of the response on as they are, with the end of the
 * connection.
 */
async function asGet() {
  const proxy = createServer((client) => {
    client.once("data", (data) => {
      const [method, path = ""] = data.toString("latin1").split(" ");
      const [, kind, format] = /^\/(whole|late)\.(\w+)$/.exec(path) ?? [];
      if (method !== "GET" || format === undefined) {
        client.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
        return;
      }
      const body = JSON.stringify(bodyOf(format as Format, kind === "whole"));
      const headers = Object.entries(headersOf(shop.tokens.ann)).map(([name, value]) => `${name}: ${value}`);
      const head = [
        `POST ${searchOf(format as Format)} HTTP/1.1`,
        `Host: 127.0.0.1:${server.port}`,
        ...headers,
        "Connection: close",
        `Content-Length: ${body.length}`,
      ];
      const upstream = connect(server.port, "127.0.0.1");
      upstream.write(`${head.join("\r\n")}\r\n\r\n${body}`);
      upstream.pipe(client);
      upstream.on("error", () => client.destroy());
      client.on("error", () => upstream.destroy());
    });
    client.on("error", () => {});
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(proxy.address() as { readonly port: number }).port}`,
    [Symbol.dispose]: () => void proxy.close(),
  };
}

const READERS = { ndjson: "read_json", json: "read_json", csv: "read_csv", parquet: "read_parquet" } as const;

test.each(["csv", "ndjson", "json", "parquet"] as const)(
  "an error in the last of all rows fails the httpfs of DuckDB in %s",
  async (format) => {
    using proxy = await asGet();
    await using database = await openDatabase({ settings: { allow_unsigned_extensions: "false" } });
    await using connection = await database.connect();
    await connection.run(`LOAD '${extensionFile("httpfs")}'`);
    await connection.run("SET force_download = true; SET http_retries = 0; SET http_timeout = 60");
    const options = format === "json" ? ", maximum_object_size = 1000000000" : "";
    const count = (kind: string) =>
      connection.rows<{ n: number }>(
        `SELECT count(*) AS n FROM ${READERS[format]}('${proxy.url}/${kind}.${format}'${options})`,
      );
    const read = async (kind: string) => {
      try {
        return Number((await count(kind))[0]!.n);
      } catch (error) {
        return `failed: ${(error as Error).message.slice(0, 200)}`;
      }
    };
    // The JSON of the API is one object.
    expect(await read("whole")).toBe(format === "json" ? 1 : rowsOf(format));
    expect(await read("late")).toStartWith("failed");
  },
);
