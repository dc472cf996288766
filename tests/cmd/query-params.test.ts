import { expect, test } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { AgnesError } from "../../lib/base/mod.ts";
import { queryParams } from "../../cmd/cli/query-params.ts";
import { runCli, temporaryDirectory } from "./run-cli.ts";

test("queryParams() splits at the first =, and rejects values without a name and repeated names", () => {
  const read = (...texts: string[]) => queryParams("query", texts);
  expect(read()).toBeUndefined();
  expect(read("a=b=c", "$1=", "x= y ")).toEqual({ a: "b=c", 1: "", x: " y " });
  for (const texts of [["secret"], ["=secret"], ["a=secret", "a=1"]]) {
    const error = (() => {
      try {
        return read(...texts);
      } catch (thrown) {
        return (thrown as AgnesError).toJSON();
      }
    })();
    expect(error).toMatchObject({ error: { code: "usage_wrong" } });
    expect(JSON.stringify(error)).not.toContain("secret");
  }
});

test("agnes query --param passes values by name and by position, also to a file", async () => {
  using directory = temporaryDirectory();
  await writeFile(join(directory.path, "agnes.yaml"), "version: 1\nsources: {}\n");
  const query = (...args: string[]) => runCli(["query", ...args], { cwd: directory.path });
  const named = await query("SELECT $a || 1 AS v", "--param", "a=it's; --", "--format", "csv");
  expect(named.stdout).toBe("v\nit's; --1\n");
  const output = join(directory.path, "rows.csv");
  const placed = await query(
    "SELECT ? AS v, ?::INT + 1 AS n",
    "--param",
    "1=x",
    "--param",
    "2=4",
    "-o",
    output,
  );
  expect([placed.status, await readFile(output, "utf8")]).toEqual([0, "v,n\nx,5\n"]);
  const missing = await query("SELECT $a, $b", "--param", "a=secret");
  expect([missing.status, missing.stderr]).toEqual([2, expect.stringContaining("has no value")]);
  expect(missing.stderr).not.toContain("secret");
  for (const sql of ["SELECT $a", "SELECT ?", "SELECT $1"]) {
    const { status, stderr } = await query(sql, "--json");
    expect([sql, status, stderr]).toEqual([sql, 2, expect.stringContaining('"parameters_invalid"')]);
  }
});
