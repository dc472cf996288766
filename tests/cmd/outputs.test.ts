import { describe, expect, test } from "bun:test";
import { lstat, readdir, readFile, readlink, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, zstdDecompressSync } from "node:zlib";

import { readWithHyparquet } from "../full/hyparquet.ts";
import { runCli, temporaryDirectory } from "./run-cli.ts";

const MAIN = join(import.meta.dir, "..", "..", "cmd", "main.ts");

async function workspace() {
  const directory = temporaryDirectory();
  await runCli(["init"], { cwd: directory.path });
  const query = (sql: string, ...args: string[]) => runCli(["query", sql, ...args], { cwd: directory.path });
  return { ...directory, file: (name: string) => join(directory.path, name), query };
}

describe("agnes query --output", () => {
  test("compresses by extension, and takes the format from the ending before it", async () => {
    using own = await workspace();
    const sql = "SELECT range AS a FROM range(3)";
    for (const [name, options, plain] of [
      ["o.csv.gz", [], "a\n0\n1\n2\n"],
      ["O.NDJSON.ZST", [], '{"a":0}\n{"a":1}\n{"a":2}\n'],
      ["rows.gz", ["--format", "csv"], "a\n0\n1\n2\n"],
    ] as const) {
      const { status, stdout, stderr } = await own.query(sql, "--output", name, ...options);
      expect([status, stdout, stderr]).toEqual([0, "", expect.stringContaining(`in ${name}`)]);
      const bytes = await readFile(own.file(name));
      const read = name.toLowerCase().endsWith(".gz") ? gunzipSync : zstdDecompressSync;
      expect(read(bytes).toString()).toBe(plain);
    }
  });

  test("refuses formats that readers cannot open compressed, names without a format, and folders", async () => {
    using own = await workspace();
    for (const [name, status, words] of [
      ["o.parquet.gz", 2, "Use a file name that ends in .parquet."],
      ["o.arrow.zst", 2, "Use a file name that ends in .arrow."],
      ["o.gz", 2, "is not a known format"],
      ["o.table", 2, "the format table cannot be written to a file"],
      ["exports", 1, "it is a folder"],
      ["exports/new/", 1, "its name ends like that of a folder"],
    ] as const) {
      const detected = name.startsWith("exports") ? "csv" : name === "o.table" ? "table" : null;
      const format = detected === null ? [] : ["--format", detected];
      const result = await own.query("SELECT 1 AS a", "--output", name, ...format);
      expect([name, result.status, result.stdout]).toEqual([name, status, ""]);
      expect(result.stderr).toContain(words);
    }
    expect((await readdir(own.path)).filter((name) => name.startsWith("o."))).toEqual([]);
  });

  test("gives each column of a Parquet file a name of its own, also when only the case differs", async () => {
    using own = await workspace();
    const { status } = await own.query("SELECT 1 AS a, 2 AS a, 3 AS A, 4 AS a_1", "--output", "o.parquet");
    expect(status).toBe(0);
    expect(await readWithHyparquet(own.file("o.parquet"))).toEqual({
      a: ["1"],
      a_2: ["2"],
      A_3: ["3"],
      a_1: ["4"],
    });
  });

  test("leaves what is there when the query fails, and writes to what a link leads to", async () => {
    using own = await workspace();
    await writeFile(own.file("target.csv"), "old");
    await symlink("target.csv", own.file("link.csv"));
    const failing = "SELECT error('no') FROM range(3)";
    for (const name of ["link.csv", "o.csv.gz"])
      expect((await own.query(failing, "--output", name)).status).toBe(1);
    expect(await readFile(own.file("target.csv"), "utf8")).toBe("old");
    expect(await readdir(own.path)).not.toContain("o.csv.gz");
    expect((await own.query("SELECT 1 AS a", "--output", "link.csv")).status).toBe(0);
    expect(await readlink(own.file("link.csv"))).toBe("target.csv");
    expect(await readFile(own.file("target.csv"), "utf8")).toBe("a\n1\n");
    expect((await readdir(own.path)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  test("fails when the device it writes to is full, and leaves the device in place", async () => {
    using own = await workspace();
    for (const args of [
      ["query", "SELECT 1 AS a", "--format", "csv", "--output", "/dev/full"],
      ["query", "SELECT 1 AS a", "--format", "parquet", "--output", "/dev/full"],
      ["table", "export", "--output", "/dev/full"],
    ]) {
      const { status, stdout, stderr } = await runCli(args, { cwd: own.path });
      expect([status, stdout]).toEqual([1, ""]);
      expect(stderr).toContain("code  disk_full\n");
    }
    expect((await lstat("/dev/full")).isCharacterDevice()).toBe(true);
  });
});

describe("an output that is a descriptor or a pipe", () => {
  const bash = async (directory: string, script: string) => {
    const agnes = `"${process.execPath}" "${MAIN}"`;
    const child = Bun.spawn(["bash", "-c", script.replaceAll("agnes", agnes)], {
      cwd: directory,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [stdout, stderr] = [new Response(child.stdout).text(), new Response(child.stderr).text()];
    return { status: await child.exited, stdout: await stdout, stderr: await stderr };
  };

  test("keeps the earlier content of the file behind a descriptor", async () => {
    using own = await workspace();
    const query = `agnes query "SELECT 1 AS a" --quiet`;
    const { status, stderr } = await bash(
      own.path,
      `set -e
       echo before > csv; ${query} --format csv --output /dev/stdout >> csv
       (echo before; ${query} --format parquet --output /dev/fd/1) > parquet
       (echo before; agnes table export --quiet --output /proc/self/fd/1) > export`,
    );
    expect([status, stderr]).toEqual([0, ""]);
    expect(await readFile(own.file("csv"), "utf8")).toBe("before\na\n1\n");
    expect(await readFile(own.file("parquet"), "latin1")).toMatch(/^before\nPAR1[^]+PAR1$/);
    expect(await readFile(own.file("export"), "utf8")).toMatch(/^before\n[^]+# Data Description\n/);
  });

  test("writes to pipes and devices", async () => {
    using own = await workspace();
    const query = `agnes query "SELECT 1 AS a" --quiet --format`;
    const { status, stdout, stderr } = await bash(
      own.path,
      `set -e -o pipefail
       mkfifo fifo; cat fifo > received & ${query} parquet --output fifo; wait
       ${query} parquet --output plain; cmp received plain; test -p fifo
       ${query} csv --output /dev/stdout | cat; ${query} csv --output /dev/null; test -c /dev/null`,
    );
    expect([status, stdout, stderr]).toEqual([0, "a\n1\n", ""]);
  });
});

test("agnes connector test ends quietly when its output is no longer read", async () => {
  using own = await workspace();
  const command = `"${process.execPath}" "${MAIN}" connector test exports | head -n 1`;
  const child = Bun.spawn(["bash", "-o", "pipefail", "-c", command], {
    cwd: own.path,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  expect(stdout).toStartWith("ok ");
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
});

test.each([
  [["--help"]],
  [["query", "SELECT range FROM range(3)"]],
  [["query", "SELECT 1 AS a", "--format", "parquet"]],
  [["complete", "bash"]],
])("agnes %j reports a standard output that cannot be written", async (args) => {
  using own = await workspace();
  const child = Bun.spawn([process.execPath, MAIN, ...args], {
    cwd: own.path,
    stdio: ["ignore", Bun.file("/dev/full"), "pipe"],
  });
  const [stderr, status] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  expect(stderr).toBe(
    "error  the disk is full: could not write standard output\n hint  Free disk space and run it again.\n code  disk_full\n",
  );
  expect(status).toBe(1);
});
