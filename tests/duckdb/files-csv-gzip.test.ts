import { expect, test } from "bun:test";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { openDatabase, openFile, type ReadableChunk } from "../../lib/duckdb/mod.ts";
import type { FileColumn } from "../../lib/kit/mod.ts";
import { seededRandom } from "../../lib/testing/fakes/fake-host.ts";

const ROWS = 400_000;
const random = seededRandom(1);
const lines = Array.from(
  { length: ROWS },
  () => `"${(random() * 1e15).toFixed(0)}","${(random() * 1e15).toFixed(0)}"`,
);
const columns: readonly FileColumn[] = ["a", "b"].map((name) => ({
  name,
  type: "BIGINT",
  isConfigured: true,
}));

/** Opens a large compressed file as a sync does, and tells how many files it made meanwhile. */
async function withFile<T>(
  rows: readonly string[],
  work: (
    rows: () => Promise<readonly { n: bigint; sum: string }[]>,
    explain: (error: unknown) => Promise<unknown>,
  ) => Promise<T>,
): Promise<{
  readonly result: T;
  readonly copies: number;
  readonly left: readonly string[];
  readonly path: string;
}> {
  const directory = await mkdtemp(join(tmpdir(), "agnes-gzip-"));
  const path = join(directory, "rows.csv.gz");
  await writeFile(path, gzipSync(`${rows.join("\n")}\n`, { level: 1 }));
  const csv = {
    delimiter: ",",
    quote: '"',
    escape: '"',
    header: false,
    names: ["a", "b"],
    nullValues: [""],
    quotedNulls: false,
    encoding: "utf-8",
    decimalSeparator: ".",
    thousandsSeparator: "",
    skipLines: 0,
    comment: "",
    maxLineBytes: 2_000_000,
  };
  const reading = { format: "csv", csv, columns } as const;
  const chunk: ReadableChunk = { kind: "file", format: "csv", data: path, compression: "gzip", reading };
  try {
    await using database = await openDatabase({ limits: { memoryMb: 512, threads: 2 } });
    await using connection = await database.connect();
    let result: T;
    let copies: number;
    {
      await using file = await openFile(chunk, { connection, directory, isUnchecked: true });
      copies = (await readdir(directory)).length - 1;
      const checked = (await file.check?.()) ?? file;
      const sql = `SELECT count(*) AS n, CAST(sum(a) + sum(b) AS VARCHAR) AS sum FROM (${checked.select})`;
      result = await work(
        () => connection.rows<{ n: bigint; sum: string }>(sql),
        (error) => checked.explain(error),
      );
    }
    return { result, copies, left: await readdir(directory), path };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

test("a large compressed file is read from a decompressed copy, which is removed", async () => {
  const { result, copies, left } = await withFile(lines, (rows) => rows());
  const sum = lines.reduce(
    (total, line) => total + line.split(",").reduce((both, text) => both + BigInt(text.slice(1, -1)), 0n),
    0n,
  );
  expect({ copies, left }).toEqual({ copies: 1, left: ["rows.csv.gz"] });
  expect(result).toEqual([{ n: BigInt(ROWS), sum: String(sum) }]);
});

test("a value that does not fit names the compressed file and its line", async () => {
  const wrong = lines.with(ROWS - 10, '"1.5","2"');
  const { result, left, path } = await withFile(wrong, async (rows, explain) => {
    try {
      return await rows();
    } catch (error) {
      return explain(error);
    }
  });
  expect(left).toEqual(["rows.csv.gz"]);
  expect(result).toMatchObject({
    code: "file_value_invalid",
    details: { file: path, line: ROWS - 9, column: "a", value: "1.5", type: "BIGINT" },
  });
});
