import { expect, test } from "bun:test";
import { join } from "node:path";

import { AgnesError, nodeFiles, type Files } from "../../lib/base/mod.ts";
import { int64, table } from "../../lib/kit/mod.ts";
import { openBench, planOf } from "./harness.ts";

const orders = table("orders", { id: int64({ nullable: false }) });

async function* read() {
  yield [{ id: 1 }, { id: 2 }];
}

test("extractSource() publishes only after the names of new parts are durable", async () => {
  const files = nodeFiles();
  const done: string[] = [];
  const noted: Files = {
    ...files,
    async sync(path) {
      // A slow disk: the next database is complete long before.
      const isNames = path.endsWith(join("data", "orders"));
      for (let waited = 0; isNames && waited < 200 && !done.includes("published"); waited++)
        await Bun.sleep(10);
      await files.sync(path);
      if (isNames) done.push("names synced");
    },
    async rename(from, to) {
      await files.rename(from, to);
      done.push(to.endsWith("extract.duckdb") ? "published" : "renamed");
    },
  };
  await using bench = await openBench({ files: noted });
  await bench.run([planOf(orders)], read);
  expect(done).toEqual(["renamed", "names synced", "published"]);
});

test("extractSource() keeps the published data if the names of new parts cannot be made durable", async () => {
  const files = nodeFiles();
  let fails = false;
  const failing: Files = {
    ...files,
    async sync(path) {
      if (fails && path.endsWith(join("data", "orders")))
        throw new AgnesError("file_failed", { operation: "sync", path, reason: "EIO" });
      await files.sync(path);
    },
  };
  await using bench = await openBench({ files: failing });
  await bench.run([planOf(orders)], read);
  fails = true;
  const again = bench.run([planOf(orders)], async function* () {
    yield [{ id: 3 }];
  });
  expect(await again.catch((error: unknown) => (error as AgnesError).code)).toBe("file_failed");
  expect(await bench.rows("SELECT id FROM orders ORDER BY id")).toEqual([{ id: 1n }, { id: 2n }]);
});
