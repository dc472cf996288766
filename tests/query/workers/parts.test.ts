import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as fc from "fast-check";

import { AgnesError, machineLimits, nodeFiles, receivedError, residentBytes } from "../../../lib/base/mod.ts";
import { workerSettings } from "../../../lib/query/mod.ts";
import { dataFrames, FrameReader, messageFrame } from "../../../lib/query/workers/frames.ts";
import { failedMessage } from "../../../lib/query/workers/protocol.ts";
import { ResultBuffer, type BufferSpace } from "../../../lib/query/workers/result-buffer.ts";

test("frames keep messages and bytes in order, wherever the stream is cut", () => {
  const parts = fc.array(fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.string()), { maxLength: 8 });
  fc.assert(
    fc.property(parts, fc.integer({ min: 1, max: 50 }), (sent, cut) => {
      const stream = Buffer.concat(
        sent.flatMap((part) => (typeof part === "string" ? [messageFrame(part)] : [...dataFrames(part)])),
      );
      const received: string[] = [];
      const reader = new FrameReader({
        message: (message) => received.push(`message ${String(message)}`),
        data: (bytes) => {
          // Data is cut where the stream is.
          if (received.at(-1)?.startsWith("data ") !== true) received.push("data ");
          received.push(`${received.pop()!}${bytes.toString("hex")}`);
        },
      });
      for (let at = 0; at < stream.length; at += cut) reader.take(stream.subarray(at, at + cut));
      const expected: string[] = [];
      for (const part of sent) {
        if (typeof part === "string") expected.push(`message ${part}`);
        else if (part.length > 0) {
          if (expected.at(-1)?.startsWith("data ") !== true) expected.push("data ");
          expected.push(`${expected.pop()!}${Buffer.from(part).toString("hex")}`);
        }
      }
      expect(received).toEqual(expected);
    }),
  );
  const reader = new FrameReader({ message: () => {}, data: () => {} });
  expect(() => reader.take(Buffer.from("Segmentation fault"))).toThrow("no frame");
});

test("data is passed on before its frame is whole, and large data is not copied", () => {
  const received: Buffer[] = [];
  const reader = new FrameReader({ message: () => {}, data: (bytes) => void received.push(bytes) });
  const stream = Buffer.concat([...dataFrames(Buffer.alloc(100_000, 7))]);
  const [first, second] = [stream.subarray(0, 60_000), stream.subarray(60_000)];
  reader.take(first);
  expect(received.map(({ length }) => length)).toEqual([60_000 - 5]);
  expect(received[0]!.buffer).toBe(first.buffer);
  reader.take(second.subarray(0, 10));
  expect(received[1]).toEqual(Buffer.alloc(10, 7));
  expect(received[1]!.buffer).not.toBe(stream.buffer);
  reader.take(second.subarray(10));
  expect(Buffer.concat(received)).toEqual(Buffer.alloc(100_000, 7));
});

test("an error keeps its code, texts, details and retry class in a message", () => {
  const place = { line: 1, column: 8, before: "SELECT ", after: "foo" };
  for (const error of [
    new AgnesError("sql_malformed", { reason: "it ends", position: 3, place }),
    new AgnesError("timed_out", { what: "the query", timeoutMs: 3 }, { retry: "permanent" }),
    new AgnesError("table_unknown", { table: "a", known: ["b"], more: 2 }),
  ]) {
    const { error: sent } = JSON.parse(JSON.stringify(failedMessage(error))) as ReturnType<
      typeof failedMessage
    >;
    const received = receivedError(sent);
    expect(received.toJSON()).toEqual(error.toJSON());
    expect(received.retry).toBe(error.retry);
    expect(received.status).toBe(error.status);
  }
  expect(failedMessage(new TypeError("boom")).error.code).toBe("internal");
});

test("the buffer of a result returns all bytes in order, and leaves no file", async () => {
  const directory = mkdtempSync(join(tmpdir(), "agnes-buffer-"));
  try {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 40 }),
        fc.integer({ min: 0, max: 60 }),
        fc.integer({ min: 0, max: 200 }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
        async (sizes, memoryBytes, filesBytes, pauses) => {
          let names = 0;
          const space: BufferSpace = {
            files: nodeFiles(),
            newPath: async () => join(directory, `rows-${names++}`),
            memoryBytes,
            filesBytes,
            usedBytes: 0,
            stalledMs: 10_000,
          };
          let resume = () => {};
          const buffer = new ResultBuffer(
            space,
            () => resume(),
            () => {},
          );
          let next = 0;
          const pieces = sizes.map((size) => Buffer.from(Array.from({ length: size }, () => next++ % 256)));
          const write = async () => {
            for (const [at, piece] of pieces.entries()) {
              const hasRoom = new Promise<void>((resolve) => (resume = resolve));
              if (!buffer.write(piece)) await hasRoom;
              if (pauses[at % pauses.length]!) await Bun.sleep(0);
            }
            buffer.end();
          };
          const read: Buffer[] = [];
          const readAll = async () => {
            for (let at = 0; ; at++) {
              const bytes = await buffer.next();
              if (bytes === null) return;
              read.push(Buffer.from(bytes));
              if (!pauses[at % pauses.length]!) await Bun.sleep(0);
            }
          };
          await Promise.all([write(), readAll()]);
          expect(Buffer.concat(read)).toEqual(Buffer.concat(pieces));
          expect(space.usedBytes).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
    expect(readdirSync(directory)).toEqual([]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("machineLimits() reads the cgroup of the process and its parents", () => {
  const machine = (files: Readonly<Record<string, string>>) =>
    machineLimits({ read: (path) => files[path] ?? null, memoryBytes: 8e9, cores: 8 });
  expect(machine({})).toEqual({ memoryBytes: 8e9, cores: 8 });
  const second = { "/proc/self/cgroup": "0::/a/b\n" };
  expect(
    machine({
      ...second,
      "/sys/fs/cgroup/a/b/memory.max": "max\n",
      "/sys/fs/cgroup/a/memory.max": "1000000000\n",
      "/sys/fs/cgroup/a/b/cpu.max": "150000 100000\n",
      "/sys/fs/cgroup/a/cpu.max": "max 100000\n",
    }),
  ).toEqual({ memoryBytes: 1e9, cores: 2 });
  const first = { "/proc/self/cgroup": "5:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n" };
  expect(
    machine({
      ...first,
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
      "/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes": "500000000\n",
      "/sys/fs/cgroup/cpu/docker/x/cpu.cfs_quota_us": "50000\n",
      "/sys/fs/cgroup/cpu/docker/x/cpu.cfs_period_us": "100000\n",
    }),
  ).toEqual({ memoryBytes: 5e8, cores: 1 });
  expect(machine({ ...first, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n" }).cores).toBe(8);
});

test("workerSettings() divides the memory, and rejects options that are none", () => {
  const on = (memoryBytes: number, cores: number, memoryMb = 1024) => {
    const { count, memoryMb: each, duckdb } = workerSettings({}, { memoryMb }, { memoryBytes, cores });
    return { count, each, duckdb: duckdb.memoryMb };
  };
  expect(on(64e9, 8)).toEqual({ count: 10, each: 1536, duckdb: 1024 });
  expect(on(4e9, 8)).toEqual({ count: 4, each: 600, duckdb: 275 });
  expect(on(1e9, 2)).toEqual({ count: 2, each: 300, duckdb: 64 });
  const options = (workers: object) => () => workerSettings(workers, {});
  expect(options({ count: 0 })).toThrow("workers.count");
  expect(options({ memory: 1 })).toThrow("workers.memory");
  expect(options({ command: [] })).toThrow("workers.command");
});

test("residentBytes() finds the memory of processes, in /proc and by ps", async () => {
  const { pid } = process;
  const proc = await residentBytes([pid, 2 ** 30]);
  const ps = await residentBytes([pid, 2 ** 30], "darwin");
  for (const found of [proc, ps]) {
    expect([...found.keys()]).toEqual([pid]);
    expect(found.get(pid)!).toBeGreaterThan(20_000_000);
    expect(found.get(pid)!).toBeLessThan(10_000_000_000);
  }
  expect((await residentBytes([pid], "win32")).size).toBe(0);
});
