import { expect, setDefaultTimeout, test } from "bun:test";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { rowsOf } from "../extract/harness.ts";
import { fakeKeboola, type FakeKeboola, type KeboolaScript, type KeboolaStep } from "../fakes/keboola/mod.ts";
import { CRASH_TABLE } from "../plugins-keboola/crash-plan.ts";

setDefaultTimeout(600_000);

const CHILD = join(import.meta.dir, "../plugins-keboola/crash-child.ts");
const ROWS = 100;
const row = (at: number, text = "x".repeat(at)) => ({ id: String(at), text });

/** A fake behind a real server, which a process of its own asks. */
class Stack implements Disposable {
  readonly keboola: FakeKeboola;
  readonly #server: ReturnType<typeof Bun.serve>;
  /** The number of the request before whose answer the process is killed. */
  killAt = Number.POSITIVE_INFINITY;
  child: Bun.Subprocess | undefined;
  requests: KeboolaStep[] = [];

  constructor(script: KeboolaScript) {
    this.keboola = fakeKeboola({ sliceRows: 5, cache: false, jobPolls: 0, ...script });
    this.keboola.onRequest((step) => {
      this.requests.push(step);
      return undefined;
    });
    this.#server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      idleTimeout: 0,
      fetch: async (request) => {
        const headers = new Headers(request.headers);
        const target = headers.get("x-target")!;
        for (const name of ["x-target", "host", "connection"]) headers.delete(name);
        const body = request.method === "GET" ? {} : { body: await request.text() };
        const answer = await this.keboola.fetch(target, { method: request.method, headers, ...body });
        // What the stack did is done; only the answer is lost.
        if (this.requests.length === this.killAt) this.child?.kill("SIGKILL");
        return answer;
      },
    });
  }

  /** Runs a sync; returns its exit code, null if it was killed. */
  async sync(directory: string): Promise<number | null> {
    this.requests = [];
    const { token, stack } = this.keboola;
    const address = this.#server.url.href;
    this.child = Bun.spawn(["bun", CHILD, directory, address, token, stack], { stderr: "inherit" });
    await this.child.exited;
    return this.child.exitCode;
  }

  /** Slices that were requested whole. */
  wholeSlices(from: number): number {
    return this.keboola
      .requestsOf("slice")
      .slice(from)
      .filter(({ headers }) => !headers.has("if-none-match") && !headers.has("range")).length;
  }

  [Symbol.dispose](): void {
    this.child?.kill("SIGKILL");
    void this.#server.stop(true);
  }
}

for (const [title, script, stride] of [
  ["Parquet from S3", { provider: "aws" }, 1],
  ["CSV from GCS", { provider: "gcp", parquet: false }, 4],
] as readonly [string, KeboolaScript, number][]) {
  test(`a sync that is killed at any request is continued by the next one: ${title}`, async () => {
    const root = await mkdtemp(join(tmpdir(), "agnes-keboola-crash-"));
    try {
      using stack = new Stack(script);
      const { keboola } = stack;
      const table = keboola.storage.createTable(CRASH_TABLE, {
        columns: ["id", "text"],
        primaryKey: ["id"],
        rows: Array.from({ length: ROWS }, (_, at) => row(at, "old")),
      });
      const published = join(root, "published");
      expect(await stack.sync(published)).toBe(0);
      table.load(
        Array.from({ length: ROWS }, (_, at) => row(at)),
        { mode: "truncate" },
      );
      const whole = join(root, "whole");
      await cp(published, whole, { recursive: true });
      expect(await stack.sync(whole)).toBe(0);
      const steps = stack.requests.length;
      expect(steps).toBeGreaterThan(25);
      for (let step = 1; step <= steps; step += stride) {
        const directory = join(root, `killed-${step}`);
        await cp(published, directory, { recursive: true });
        const jobs = keboola.jobs.length;
        stack.killAt = step;
        expect([step, await stack.sync(directory)]).toEqual([step, null]);
        stack.killAt = Number.POSITIVE_INFINITY;
        const slices = keboola.requestsOf("slice").length;
        const done = stack.requests.filter((one) => one === "slice").length;
        const wasStarted = stack.requests.includes("job");
        // Whatever was published is still there.
        const [old] = await rowsOf(directory, "SELECT count(*)::INT AS rows FROM rows");
        expect([step, old]).toEqual([step, { rows: ROWS }]);
        expect([step, await stack.sync(directory)]).toEqual([step, 0]);
        const found = await rowsOf(
          directory,
          "SELECT count(*)::INT AS rows, count(DISTINCT id)::INT AS ids, sum(length(text))::INT AS size FROM rows",
        );
        expect([step, found]).toEqual([step, [{ rows: ROWS, ids: ROWS, size: (ROWS * (ROWS - 1)) / 2 }]]);
        // A job whose start the process has seen is continued.
        if (wasStarted) expect([step, keboola.jobs.length - jobs]).toEqual([step, 1]);
        // At most the four slices in flight are downloaded again.
        expect([step, stack.wholeSlices(slices) <= 20 - done + 4]).toEqual([step, true]);
        await rm(directory, { recursive: true });
      }
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });
}
