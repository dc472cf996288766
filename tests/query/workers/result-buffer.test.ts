import { expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { nodeFiles, type AgnesError } from "../../../lib/base/mod.ts";
import { seededRandom } from "../../../lib/testing/fakes/fake-host.ts";
import { ResultBuffer, type BufferSpace } from "../../../lib/query/workers/result-buffer.ts";
import { until } from "./isolated.ts";

/** The space of some buffers, whose files are in a folder that is removed at the end. */
function newSpace(sizes: Pick<BufferSpace, "memoryBytes" | "filesBytes" | "stalledMs">) {
  const directory = mkdtempSync(join(tmpdir(), "agnes-buffer-"));
  let names = 0;
  const space: BufferSpace = {
    files: nodeFiles(),
    newPath: async () => join(directory, `rows-${names++}`),
    usedBytes: 0,
    ...sizes,
  };
  return {
    space,
    files: () => readdirSync(directory),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}

test("a reader that takes nothing for too long ends its result, and the file is removed", async () => {
  using own = newSpace({ memoryBytes: 10, filesBytes: 1000, stalledMs: 50 });
  const stalled = Promise.withResolvers<AgnesError>();
  const buffer = new ResultBuffer(own.space, () => {}, stalled.resolve);
  for (let at = 0; at < 10; at++) buffer.write(Buffer.alloc(10));
  const error = await stalled.promise;
  expect(error.toJSON().error).toMatchObject({ code: "rows_not_read", details: { stalledMs: 50 } });
  expect(await buffer.next().catch((thrown: unknown) => thrown)).toBe(error);
  while (own.files().length > 0) await Bun.sleep(1);
  expect(own.space.usedBytes).toBe(0);
});

test("a reader that has taken the first bytes and then none ends its result, too", async () => {
  using own = newSpace({ memoryBytes: 1000, filesBytes: 0, stalledMs: 50 });
  const stalled = Promise.withResolvers<AgnesError>();
  const buffer = new ResultBuffer(own.space, () => {}, stalled.resolve);
  for (let at = 0; at < 3; at++) buffer.write(Buffer.alloc(10));
  await buffer.next();
  expect((await stalled.promise).code).toBe("rows_not_read");
});

test("a reader that takes something in time may be slow, and one that waits for bytes never ends", async () => {
  using own = newSpace({ memoryBytes: 1000, filesBytes: 0, stalledMs: 400 });
  const stalled: AgnesError[] = [];
  const buffer = new ResultBuffer(
    own.space,
    () => {},
    (error) => void stalled.push(error),
  );
  for (let at = 0; at < 6; at++) buffer.write(Buffer.from([at]));
  for (let at = 0; at < 6; at++) {
    await Bun.sleep(100);
    expect(await buffer.next()).toEqual(Buffer.from([at]));
  }
  const next = buffer.next();
  await Bun.sleep(500);
  buffer.write(Buffer.from([7]));
  expect([await next, stalled]).toEqual([Buffer.from([7]), []]);
  buffer.close(null);
});

test("the files of all results together stay within their quota, and the writers wait for room", async () => {
  using own = newSpace({ memoryBytes: 10, filesBytes: 100, stalledMs: 60_000 });
  const resumed = [0, 0];
  const buffers = resumed.map((_, at) => {
    const onRoom = () => void resumed[at]!++;
    return new ResultBuffer(own.space, onRoom, () => {});
  });
  let hasRoom = true;
  for (let at = 0; at < 15; at++) hasRoom = buffers[at % 2]!.write(Buffer.alloc(10, at)) && hasRoom;
  expect(hasRoom).toBeFalse();
  await until(() => own.space.usedBytes >= 100);
  await Bun.sleep(50);
  expect(own.space.usedBytes).toBe(100);
  for (const [at, buffer] of buffers.entries()) buffer.write(Buffer.alloc(10, 15 + at));
  await Bun.sleep(50);
  expect(own.space.usedBytes).toBe(100);
  const before = [...resumed];
  const first: number[] = [];
  buffers.forEach((buffer) => buffer.end());
  for (let bytes = await buffers[0]!.next(); bytes !== null; bytes = await buffers[0]!.next())
    first.push(...bytes);
  expect(first).toEqual(
    [0, 2, 4, 6, 8, 10, 12, 14, 15].flatMap((value) => Array.from({ length: 10 }, () => value)),
  );
  expect(resumed[0]!).toBeGreaterThan(before[0]!);
  buffers[1]!.close(null);
  while (own.files().length > 0) await Bun.sleep(1);
  expect(own.space.usedBytes).toBe(0);
});

test("readers get all bytes in their order, regardless of how they and the writers take turns", async () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = seededRandom(seed);
    const upTo = (most: number) => Math.floor(random() * (most + 1));
    using own = newSpace({ memoryBytes: upTo(40), filesBytes: upTo(200), stalledMs: 60_000 });
    const results = Array.from({ length: 3 }, async () => {
      let room = Promise.withResolvers<void>();
      const buffer = new ResultBuffer(
        own.space,
        () => room.resolve(),
        () => {},
      );
      const sent = Array.from({ length: 30 }, (_, at) => Buffer.alloc(upTo(20), at));
      const write = async () => {
        for (const bytes of sent) {
          room = Promise.withResolvers();
          if (!buffer.write(bytes)) await room.promise;
          if (upTo(3) === 0) await Bun.sleep(upTo(1));
        }
        buffer.end();
      };
      const read = async () => {
        const taken: Buffer[] = [];
        for (let bytes = await buffer.next(); bytes !== null; bytes = await buffer.next()) {
          taken.push(Buffer.from(bytes));
          if (upTo(3) === 0) await Bun.sleep(upTo(1));
        }
        return Buffer.concat(taken);
      };
      const [, taken] = await Promise.all([write(), read()]);
      expect(taken).toEqual(Buffer.concat(sent));
    });
    await Promise.all(results);
    while (own.files().length > 0) await Bun.sleep(1);
    expect([seed, own.space.usedBytes]).toEqual([seed, 0]);
  }
});
