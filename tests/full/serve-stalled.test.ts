import { expect, test } from "bun:test";
import { readdirSync, statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";

import {
  askLookups,
  expectPrompt,
  headersOf,
  makeShop,
  report,
  startServer,
  watchMemory,
} from "./serve-process.ts";

const FILES_MB = 1024;
const STALLED_MS = 30_000;
/** The time for the rows to fill the files. A pipe holds little, so that a busy machine fills them slowly. */
const FILLED_MS = 15_000;

/** About 300 MB, of which a client reads nothing; those of four clients are more than the files may have. */
const LARGE = "SELECT range AS n, repeat('x', 200) AS text FROM range(1400000)";
/** The hostile queries of another client, which use a processor until their deadline. */
const BUSY = "SELECT sum(a.range * b.range) AS n FROM range(10000000) a, range(10000000) b";

/** Sends a query on a connection of its own, and reads none of the response until it ends. */
function stall(port: number, token: string, id: string) {
  const body = JSON.stringify({ sql: LARGE });
  const socket = connect(port, "127.0.0.1");
  socket.pause();
  const lines = [
    "POST /api/query?format=csv HTTP/1.1",
    `Host: 127.0.0.1:${port}`,
    ...Object.entries(headersOf(token)).map(([name, value]) => `${name}: ${value}`),
    `X-Agnes-Query-Id: ${id}`,
    `Content-Length: ${body.length}`,
  ];
  socket.on("error", () => {});
  socket.write(`${lines.join("\r\n")}\r\n\r\n${body}`);
  return {
    /** Reads what is left, and returns the last bytes. */
    rest: () =>
      new Promise<string>((resolve) => {
        let last = "";
        socket.on("data", (data) => (last = (last + data.toString("latin1")).slice(-100)));
        socket.on("close", () => resolve(last));
        socket.resume();
      }),
    socket,
  };
}

/** The size of the files in which rows wait, in MB. */
function waitingMb(directory: string): number {
  let bytes = 0;
  for (const name of readdirSync(directory, { recursive: true }) as string[]) {
    if (!/(?:^|\/)rows-/.test(name)) continue;
    try {
      bytes += statSync(join(directory, name)).size;
    } catch {
      // It was removed since.
    }
  }
  return bytes / 1e6;
}

test("stalled readers on all workers and hostile queries beside them do not delay another client", async () => {
  await using shop = await makeShop();
  await using server = await startServer(shop.path);
  const { ann, mallory } = shop.tokens;
  const slow = await Promise.all(["slow", "slower"].map((name) => shop.token(name)));
  await server.query(ann, { sql: "SELECT 1" });
  const count = server.workers().length;
  const memory = watchMemory(server);
  const startMs = performance.now();
  const readers = Array.from({ length: Math.max(4, count) }, (_, at) => {
    const token = slow[at % slow.length]!;
    const id = `stalled-${at}`;
    return { ...stall(server.port, token, id), token, id };
  });
  let filesMb = 0;
  using _ = { [Symbol.dispose]: () => clearInterval(watch) };
  const watch = setInterval(() => (filesMb = Math.max(filesMb, waitingMb(join(shop.path, "tmp")))), 500);
  // Other queries would leave the readers little time to fill the files.
  while (filesMb < FILES_MB / 2 && performance.now() - startMs < FILLED_MS) await Bun.sleep(100);
  const lookups = askLookups(server, ann);
  // As many as may run, and some that wait.
  const hostile = Array.from({ length: count }, () =>
    server.query(mallory, { sql: BUSY, timeout_ms: 20_000 }).then(({ status }) => status),
  );
  const stateOf = async ({ id, token }: { readonly id: string; readonly token: string }) => {
    const response = await fetch(`${server.url}/api/queries/${id}`, { headers: headersOf(token) });
    return (await response.json()) as {
      readonly state: string;
      readonly error: { readonly code: string } | null;
    };
  };
  await Bun.sleep(Math.max(5000, 20_000 - (performance.now() - startMs)));
  expectPrompt(await lookups.stop());
  const early = await Promise.all(readers.map(stateOf));
  expect(early.map(({ state }) => state)).toEqual(readers.map(() => "running"));
  for (;;) {
    const states = await Promise.all(readers.map(stateOf));
    if (states.every(({ state }) => state !== "running")) break;
    // Those that waited for a worker stalled later.
    expect(performance.now() - startMs).toBeLessThan(3 * STALLED_MS);
    await Bun.sleep(200);
  }
  const endedMs = performance.now() - startMs;
  clearInterval(watch);
  const peak = memory.stop();
  report(
    `${readers.length} stalled readers ended after ${Math.round(endedMs)} ms; files ${Math.round(filesMb)} MB; memory ${JSON.stringify(peak)}`,
  );
  const ended = await Promise.all(readers.map(stateOf));
  expect(ended.map(({ state, error }) => [state, error?.code])).toEqual(
    readers.map(() => ["failed", "rows_not_read"]),
  );
  expect(endedMs).toBeGreaterThan(STALLED_MS);
  // That files may be full is checked in tests/query/workers/result-buffer.test.ts.
  expect(filesMb).toBeGreaterThan(50);
  expect(filesMb).toBeLessThan(FILES_MB * 1.05);
  expect(await Promise.all(hostile)).toEqual(hostile.map(() => 504));
  // The connections were broken, so that no reader takes the rows for all of them.
  for (const { rest } of readers) expect(await rest()).not.toEndWith("0\r\n\r\n");
  expect(waitingMb(join(shop.path, "tmp"))).toBe(0);
  expect(peak.parent).toBeLessThan(700);
  expect((await server.query(mallory, { sql: "SELECT 1 AS one" })).status).toBe(200);
});
