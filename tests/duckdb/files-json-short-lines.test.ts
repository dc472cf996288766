import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { nodeFiles } from "../../lib/base/mod.ts";
import { hasShortLines, LINE_BYTES_MAX } from "../../lib/duckdb/files/json/short-lines.ts";

const MEGABYTE = 1024 * 1024;
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "agnes-short-lines-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** A line of `bytes` bytes, without its line break. */
const lineOf = (bytes: number) => `{"a":"${"x".repeat(bytes - 8)}"}`;

async function isShort(...parts: readonly string[]): Promise<boolean> {
  const path = join(directory, "rows.ndjson");
  await writeFile(path, parts.join(""));
  return hasShortLines({ files: nodeFiles(), path });
}

const many = `${lineOf(100)}\n`.repeat(12_000);

describe("hasShortLines()", () => {
  for (const [where, before, after] of [
    ["at the start", "", many],
    ["in the middle", many, many],
    ["at the end", many, ""],
  ] as const) {
    test(`finds the one line that is a byte too long ${where}`, async () => {
      expect(await isShort(before, lineOf(LINE_BYTES_MAX), "\n", after)).toBe(true);
      expect(await isShort(before, lineOf(LINE_BYTES_MAX + 1), "\n", after)).toBe(false);
    });
  }

  test("reads a last line without a line break", async () => {
    expect(await isShort(many, lineOf(LINE_BYTES_MAX))).toBe(true);
    expect(await isShort(many, lineOf(LINE_BYTES_MAX + 1))).toBe(false);
  });

  test("finds a long line at any offset, among lines of any length", async () => {
    for (let shift = 0; shift < 2 * LINE_BYTES_MAX; shift += 997) {
      const lines = [
        many,
        lineOf(50 + (shift % LINE_BYTES_MAX)),
        "\n",
        lineOf(LINE_BYTES_MAX + 1),
        "\n",
        many,
      ];
      expect(await isShort(...lines)).toBe(false);
      lines[3] = lineOf(LINE_BYTES_MAX - (shift % 1000));
      expect(await isShort(...lines)).toBe(true);
    }
  });

  test("leaves arrays, small files and missing files to the full check", async () => {
    expect(await isShort("[", many, "]")).toBe(false);
    expect(await isShort(lineOf(100), "\n")).toBe(false);
    expect(await isShort("x".repeat(2 * MEGABYTE))).toBe(false);
    expect(await hasShortLines({ files: nodeFiles(), path: join(directory, "nowhere.ndjson") })).toBe(false);
  });

  test("stops if it is aborted", async () => {
    const path = join(directory, "large.ndjson");
    await writeFile(path, many.repeat(20));
    const error = await hasShortLines({ files: nodeFiles(), path }, AbortSignal.abort()).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: "aborted" });
  });
});
