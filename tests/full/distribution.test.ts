/**
 * Copies of tables over HTTP with other programs: curl resumes and requests ranges, and any DuckDB with its own httpfs reads
 * parts in place, while new generations are published.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { DuckDBInstance } from "@duckdb/node-api";

import { createAgnes } from "../../lib/mod.ts";
import files from "../../plugins/files/plugin.ts";
import { extensionFile } from "./extensions.ts";
import { makeShop, startServer, type RunningServer, type ServedShop } from "./serve-process.ts";

interface Part {
  readonly path: string;
  readonly size_bytes: number;
  readonly sha256: string;
}

interface Table {
  readonly generation: number;
  readonly rows: number;
  readonly parts: readonly Part[];
}

let shop: ServedShop;
let server: RunningServer;
beforeAll(async () => {
  shop = await makeShop();
  server = await startServer(shop.path);
}, 120_000);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await shop[Symbol.asyncDispose]();
});

let published = 0;

/** Publishes new rows of the table `numbers`. Returns the number that each of them has as its generation. */
async function publish(rows: number): Promise<number> {
  const number = ++published;
  const path = join(shop.path, "shop", "numbers.parquet");
  rmSync(path, { force: true });
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  await connection.run(
    `COPY (SELECT range AS id, ${number} AS generation, md5(range::VARCHAR) AS text FROM range(${rows})) TO '${path}'`,
  );
  connection.closeSync();
  instance.closeSync();
  await using agnes = await createAgnes({ plugins: [files], workspace: shop.path });
  await agnes.sync();
  return number;
}

async function manifest(): Promise<Readonly<Record<string, Table>>> {
  const headers = { authorization: `Bearer ${shop.tokens.ann}` };
  const response = await fetch(`${server.url}/api/sync/manifest`, { headers });
  return ((await response.json()) as { readonly tables: Readonly<Record<string, Table>> }).tables;
}

const urlOf = (part: Part, table = "shop.numbers") =>
  `${server.url}/api/data/${table}/download?part=${encodeURIComponent(part.path)}`;

async function curl(...args: readonly string[]): Promise<{ readonly status: number; readonly text: string }> {
  const child = Bun.spawn(["curl", "-sS", "-H", `Authorization: Bearer ${shop.tokens.ann}`, ...args], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const text = await new Response(child.stdout).text();
  return { status: await child.exited, text };
}

const hashOf = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");

test("curl downloads a part, resumes it, and requests its headers and ranges", async () => {
  await publish(400_000);
  const [part] = (await manifest())["shop.numbers"]!.parts;
  expect(part!.size_bytes).toBeGreaterThan(2_000_000);
  const url = urlOf(part!);
  const target = join(shop.path, "part.parquet");
  expect((await curl("-o", target, url)).status).toBe(0);
  expect(hashOf(target)).toBe(part!.sha256);

  writeFileSync(target, readFileSync(target).subarray(0, 1_234_567));
  expect((await curl("-C", "-", "-o", target, url)).status).toBe(0);
  expect(hashOf(target)).toBe(part!.sha256);

  const head = (await curl("-I", url)).text.toLowerCase();
  expect(head).toContain(`content-length: ${part!.size_bytes}`);
  expect(head).toContain(`etag: "${part!.sha256}"`);

  const range = async (...args: readonly string[]) =>
    (await curl("-o", target, "-w", "%{http_code} %{size_download}", "-r", "0-9", ...args, url)).text;
  expect(await range("-H", `If-Range: "${part!.sha256}"`)).toBe("206 10");
  expect(await range("-H", 'If-Range: "another"')).toBe(`200 ${part!.size_bytes}`);
  expect(await range("-H", `If-None-Match: "${part!.sha256}"`)).toBe("304 0");
});

test("any DuckDB reads parts in place with the token as a secret, while newer ones are published", async () => {
  const first = await publish(400_000);
  const { parts, rows } = (await manifest())["shop.numbers"]!;
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  await connection.run(`LOAD '${extensionFile("httpfs")}'`);
  await connection.run(
    `CREATE SECRET agnes (TYPE http, BEARER_TOKEN '${shop.tokens.ann}', SCOPE '${server.url}')`,
  );
  const list = parts.map((part) => `'${urlOf(part)}'`).join(", ");
  const read = async () => {
    const reader = await connection.runAndReadAll(
      `SELECT count(*)::INTEGER, min(generation)::INTEGER, max(generation)::INTEGER, sum(id)::DOUBLE, max(text)
       FROM read_parquet([${list}])`,
    );
    return reader.getRows()[0]!;
  };
  const [count, low, high, sum] = await read();
  expect([count, low, high, sum]).toEqual([rows, first, first, (rows * (rows - 1)) / 2]);
  for (let number = 1; number <= 5; number++) {
    const publishing = publish(1000 + number);
    expect((await read()).slice(0, 4)).toEqual([count!, low!, high!, sum!]);
    await publishing;
  }
  // The generation of the first parts is not kept any more.
  expect((await manifest())["shop.numbers"]!).toMatchObject({ rows: 1005 });
  expect((await read()).slice(0, 4)).toEqual([count!, low!, high!, sum!]);
  await connection.run("DROP SECRET agnes");
  expect(await read().then(String, String)).toStartWith("Error: HTTP Error");
  connection.closeSync();
  instance.closeSync();
}, 120_000);

test("a copy made while tables are published is of one generation", async () => {
  await publish(400_000);
  const publishing = (async () => {
    for (let number = 10; number < 14; number++) await publish(300_000 + number);
  })();
  let isOver = false;
  void publishing.finally(() => (isOver = true));
  const seen = new Set<number>();
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  for (let pull = 0; !isOver || pull < 3; pull++) {
    const { parts, rows, generation } = (await manifest())["shop.numbers"]!;
    const targets: string[] = [];
    for (const [at, part] of parts.entries()) {
      const target = join(shop.path, "tmp", `${pull}-${at}.parquet`);
      expect((await curl("--fail", "-o", target, urlOf(part))).status).toBe(0);
      expect(hashOf(target)).toBe(part.sha256);
      targets.push(`'${target}'`);
    }
    const reader = await connection.runAndReadAll(
      `SELECT count(*)::INTEGER, count(DISTINCT generation)::INTEGER FROM read_parquet([${targets.join(", ")}])`,
    );
    expect(reader.getRows()[0]!).toEqual([rows, 1]);
    seen.add(generation);
  }
  await publishing;
  connection.closeSync();
  instance.closeSync();
  expect(seen.size).toBeGreaterThan(1);
}, 240_000);
