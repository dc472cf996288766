import { expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import { runCli, temporaryDirectory } from "./run-cli.ts";

test("agnes timeline and agnes table history --generations show who rolled back, unless an earlier version did", async () => {
  using directory = temporaryDirectory();
  const { path } = directory;
  const agnes = (...args: string[]) => runCli(args, { cwd: path, env: { USER: "ann" } });
  await mkdir(join(path, "exports"));
  await writeFile(
    join(path, "agnes.yaml"),
    "version: 1\nsources:\n  shop: { plugin: files, options: { path: ./exports } }\n",
  );
  for (const rows of ["id\n1\n", "id\n1\n2\n"]) {
    await writeFile(join(path, "exports", "sales.csv"), rows);
    await agnes("sync");
  }
  expect((await agnes("table", "rollback", "shop", "1")).status).toBe(0);
  const events = async () => (await agnes("timeline", "--limit", "1")).stdout;
  const generations = async () => (await agnes("table", "history", "sales", "--generations")).stdout;
  expect(await events()).toMatch(/rollback .* as 3 +ann\b/);
  expect(await generations()).toMatch(/3 .* rollback +ann /);
  // Later generations keep the author of this one.
  await agnes("sync");
  expect(await generations()).toMatch(/4 .* run +1 [^]*3 .* rollback +ann /);

  const file = join(path, "data", "extracts", "shop", "generations");
  await using database = await openDatabase({ path: join(file, "3.duckdb") });
  await using connection = await database.connect();
  await connection.run("ALTER TABLE _generation DROP COLUMN actor");
  await connection[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
  expect(await generations()).toMatch(/3 .* rollback +unknown /);
  expect((await agnes("timeline")).stdout).toMatch(/rollback .* as 3 +unknown/);
});
