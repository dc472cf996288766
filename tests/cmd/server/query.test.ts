import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { writeResult } from "../../../lib/mod.ts";
import { served, type Served } from "../../serve/harness.ts";
import { runCli, temporaryDirectory } from "../run-cli.ts";

let shop: Served;
let server: ReturnType<typeof Bun.serve>;
/** What the server does besides running queries. */
let mode: "ok" | "truncated" | "broken" | "failed" | "forgetful" = "ok";

beforeAll(async () => {
  shop = await served();
  // The routes are fakes with the shapes of the server.
  server = Bun.serve({ port: 0, hostname: "127.0.0.1", development: false, fetch: handle });
});
afterAll(async () => {
  await server.stop(true);
  await shop[Symbol.asyncDispose]();
});

async function handle(request: Request): Promise<Response> {
  const url = new URL(request.url);
  if (!request.headers.has("authorization")) return shop.agnes.fetch(request);
  if (request.headers.get("authorization") !== "Bearer right") {
    const message = "the token is unknown, expired or revoked";
    const error = { code: "token_invalid", message, hint: "Ask an administrator.", details: {} };
    return Response.json({ error }, { status: 401 });
  }
  if (url.pathname === "/api/v2/catalog") {
    const syncs = new Map((await shop.agnes.syncStatus()).map((sync) => [sync.id, sync]));
    const tables = (await shop.agnes.catalog()).map(
      ({ mode: query_mode, accessMode, sizeBytes, extractedAt, checkedAt, staleReason, ...rest }) => ({
        ...rest,
        attempted_at: syncs.get(rest.id)!.attemptedAt,
        sync_status: syncs.get(rest.id)!.status,
        query_mode,
        access_mode: accessMode,
        size_bytes: sizeBytes,
        extracted_at: extractedAt,
        checked_at: checkedAt,
        stale_reason: staleReason,
        rough_size_hint: "small",
      }),
    );
    return Response.json({ tables, server_time: "" });
  }
  if (url.pathname.startsWith("/api/queries/") && mode === "failed") {
    const reason = "boom at row 900000";
    const details = { kind: "Invalid Input Error", reason };
    const error = { code: "sql_failed", message: `the query failed: ${reason}`, hint: "h", details };
    return Response.json({ state: "failed", receipt: null, error });
  }
  if (url.pathname.startsWith("/api/queries/") && mode !== "forgetful")
    return Response.json({ state: "done", receipt: { rows: 1, truncated: mode === "truncated" } });
  if (url.pathname !== "/api/query") return shop.agnes.fetch(request);
  const { sql, limit, params } = (await request.json()) as {
    readonly sql: string;
    readonly limit?: number;
    readonly params?: Readonly<Record<string, string>>;
  };
  const pieces: Uint8Array[] = [];
  const result = await shop.agnes.query(sql, {
    ...(params && { params }),
    limits: limit === undefined ? {} : { maxRows: limit },
  });
  const format = url.searchParams.get("format") as "csv";
  await writeResult(result, { format, to: (bytes) => void pieces.push(bytes.slice()) });
  const body = new ReadableStream({
    async start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      await Bun.sleep(50);
      if (mode === "broken" || mode === "failed") controller.error(new Error("broken"));
      else controller.close();
    },
  });
  return new Response(body, { headers: { "x-agnes-query-id": "query-1" } });
}

const run = (args: readonly string[], token = "right") =>
  runCli([...args, "--server", `http://127.0.0.1:${server.port}`], {
    cwd: "/",
    env: { AGNES_TOKEN: token },
  });

/** Runs a command in the workspace, whose configuration is in the process: what it prints is compared. */
async function local(sql: string, format: "csv" | "ndjson" | "json"): Promise<string> {
  let text = "";
  const to = (bytes: Uint8Array) => void (text += Buffer.from(bytes).toString());
  await writeResult(await shop.agnes.query(sql), { format, to });
  return text;
}

const SQL =
  "SELECT *, price::DECIMAL(9,2) AS p, [id] AS list, NULL AS n, DATE '2026-01-02' AS d FROM orders ORDER BY id";

describe("agnes query --server", () => {
  test("it prints the rows as a workspace does, in each format", async () => {
    mode = "ok";
    for (const format of ["csv", "ndjson", "json"] as const) {
      const { status, stdout, stderr } = await run(["query", SQL, "--format", format]);
      expect([status, stdout]).toEqual([0, await local(SQL, format)]);
      expect(stderr).not.toContain("warning");
    }
    const table = await run(["query", "SELECT id, name FROM customers ORDER BY id"]);
    expect(table.stdout).toBe("id  name\n──  ────\n 1  Ann\n 2  Bo\n");
    using directory = temporaryDirectory();
    const path = join(directory.path, "orders.parquet");
    expect((await run(["query", SQL, "--output", path])).status).toBe(0);
    expect((await readFile(path)).subarray(0, 4).toString()).toBe("PAR1");
  });

  test("it sends the values of --param", async () => {
    mode = "ok";
    const sql = "SELECT id, $note AS note FROM orders WHERE id = $id";
    const args = ["--param", "id=2", "--param", "note=it's=so", "--format", "csv"];
    expect((await run(["query", sql, ...args])).stdout).toBe("id,note\n2,it's=so\n");
  });

  test("it warns of rows that a limit cut off, or if that is not known", async () => {
    mode = "truncated";
    expect((await run(["query", SQL])).stderr).toContain("only the first");
    expect((await run(["query", SQL, "--format", "csv"])).stderr).toContain("only the first");
    mode = "forgetful";
    expect((await run(["query", SQL, "--format", "csv"])).stderr).toContain("not known whether a limit");
  });

  test("it fails and writes no file if the connection breaks", async () => {
    mode = "broken";
    using directory = temporaryDirectory();
    const path = join(directory.path, "orders.csv");
    for (const args of [["--output", path], ["--format", "csv"], ["--format", "json"], []]) {
      const { status, stderr } = await run(["query", SQL, ...args]);
      expect([status, stderr]).toEqual([1, expect.stringContaining("server_")]);
    }
    expect(await Bun.file(path).exists()).toBe(false);
  });

  test("it reports the error of a query that fails after its first rows", async () => {
    mode = "failed";
    for (const format of ["csv", "json", "table"]) {
      const { status, stderr } = await run(["query", SQL, "--format", format]);
      expect([status, stderr]).toEqual([1, expect.stringContaining("boom at row 900000")]);
    }
  });

  test("without a token, the hint names AGNES_TOKEN", async () => {
    mode = "ok";
    const { status, stderr } = await runCli(["query", SQL, "--server", `http://127.0.0.1:${server.port}`], {
      cwd: "/",
      env: { AGNES_TOKEN: "" },
    });
    expect([status, stderr]).toEqual([2, expect.stringContaining("Set AGNES_TOKEN")]);
  });

  test("it reports the errors of the server, and options that only a workspace has", async () => {
    mode = "ok";
    const denied = await run(["query", SQL], "wrong");
    expect(denied.stderr).toContain("Ask an administrator.");
    expect(denied.status).toBe(2);
    expect((await run(["query", SQL, "--register", "a=b:SELECT 1"])).status).toBe(2);
    expect((await run(["query", SQL, "--workspace", "/"])).status).toBe(2);
  });
});

test("agnes catalog --server prints the catalog of the server", async () => {
  const { status, stdout } = await run(["catalog", "--json"]);
  const syncs = await shop.agnes.syncStatus();
  const tables = (await shop.agnes.catalog()).map((entry) => {
    const { status: word, attemptedAt } = syncs.find(({ id }) => id === entry.id)!;
    return {
      id: entry.id,
      name: entry.name,
      description: entry.description,
      source: entry.source,
      query_mode: entry.mode,
      access_mode: entry.accessMode,
      rows: entry.rows,
      size_bytes: entry.sizeBytes,
      columns: entry.columns,
      extracted_at: entry.extractedAt,
      checked_at: entry.checkedAt,
      attempted_at: attemptedAt!.toISOString(),
      sync_status: word,
      stale_reason: entry.staleReason,
      freshness: entry.freshness,
      metadata_refreshed_at: entry.metadataAt,
    };
  });
  expect([status, JSON.parse(stdout)]).toEqual([0, { tables }]);
});
