import { describe, expect, test } from "bun:test";

import type { OpenedFile } from "../../../lib/base/mod.ts";
import { partResponse } from "../../../lib/serve/distribution/part-response.ts";

const MIB = 1 << 20;
const SIZE = 5 * MIB;

/** A file of bytes that depend on their position, and what was done with it. */
function fakeFile(failAt = Number.POSITIVE_INFINITY) {
  const done = { reads: 0, closed: 0 };
  const file: OpenedFile = {
    sizeBytes: SIZE,
    async read(buffer, position) {
      done.reads++;
      if (position + buffer.length > failAt) throw new Error("the disk failed");
      const length = Math.min(buffer.length, SIZE - position);
      for (let at = 0; at < length; at++) buffer[at] = (position + at) % 251;
      return length;
    },
    readSync: () => 0,
    write: async () => {},
    close: async () => void done.closed++,
  };
  return { file, done };
}

function respond(
  { file }: ReturnType<typeof fakeFile>,
  headers: Record<string, string> = {},
  options: { readonly stalledMs?: number; readonly onFailed?: (error: unknown) => void } = {},
) {
  const request = new Request("http://127.0.0.1/", { headers });
  const part = { file, sizeBytes: SIZE, sha256: "ab".repeat(32) };
  return partResponse(request, part, {
    table: "shop.orders",
    stalledMs: 10_000,
    onFailed: () => {},
    ...options,
  });
}

describe("partResponse()", () => {
  test("streams a large part and a large range of it, and closes the file", async () => {
    for (const [range, from, to] of [
      [null, 0, SIZE],
      [`bytes=7-${3 * MIB}`, 7, 3 * MIB + 1],
    ] as const) {
      const opened = fakeFile();
      const response = await respond(opened, range === null ? {} : { range });
      expect(response.headers.get("content-length")).toBe(String(to - from));
      const bytes = new Uint8Array(await response.arrayBuffer());
      expect(bytes.length).toBe(to - from);
      expect(bytes.every((byte, at) => byte === (from + at) % 251)).toBe(true);
      expect(opened.done.closed).toBe(1);
    }
  });

  test("reads only as fast as the client takes the bytes, and closes the file when it leaves", async () => {
    const opened = fakeFile();
    const reader = (await respond(opened)).body!.getReader();
    await reader.read();
    await Bun.sleep(20);
    expect(opened.done.reads).toBeLessThanOrEqual(2);
    await reader.cancel();
    expect(opened.done.closed).toBe(1);
  });

  test("breaks the body if the file fails in the middle", async () => {
    const opened = fakeFile(3 * MIB);
    const failures: unknown[] = [];
    const response = await respond(opened, {}, { onFailed: (error) => failures.push(error) });
    const rejected = await response.arrayBuffer().then(
      () => false,
      () => true,
    );
    expect([rejected, failures.length, opened.done.closed]).toEqual([true, 1, 1]);
  });

  test("is an error with a status if a small range cannot be read", async () => {
    const opened = fakeFile(10);
    const error: unknown = await respond(opened, { range: "bytes=5-20" }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "part_unreadable", status: 503 });
    expect(opened.done.closed).toBe(1);
  });

  test("ends a body that the client does not read", async () => {
    const opened = fakeFile();
    const failures: unknown[] = [];
    const response = await respond(opened, {}, { stalledMs: 20, onFailed: (error) => failures.push(error) });
    const reader = response.body!.getReader();
    await reader.read();
    await Bun.sleep(100);
    expect(failures).toMatchObject([{ code: "rows_not_read" }]);
    expect(opened.done.closed).toBe(1);
    await reader.cancel().catch(() => {});
  });

  test("closes the file for 304, 416 and HEAD", async () => {
    const known = fakeFile();
    await respond(known, { "if-none-match": "*" });
    const beyond = fakeFile();
    await respond(beyond, { range: `bytes=${SIZE}-` }).catch(() => {});
    expect([known.done, beyond.done]).toEqual([
      { reads: 0, closed: 1 },
      { reads: 0, closed: 1 },
    ]);
  });
});
