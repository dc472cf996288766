import { expect, test } from "bun:test";
import { join } from "node:path";

test("rebuildAnalytics() goes on without an extract whose view DuckDB cannot be stopped from making", async () => {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "..", "analytics", "endless-view.ts")], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const reported = JSON.parse(await new Response(child.stdout).text());
  expect(reported).toEqual({
    first: {
      published: ["good.fine", "mixed.stored", "plain.t"],
      errors: ["endless timed_out", "later.t duckdb_stuck", "mixed.view duckdb_stuck"],
    },
    // What is shown of an extract stays as it is until all of it can be checked.
    second: {
      published: ["good.fine", "mixed.stored", "plain.t"],
      errors: ["endless.t duckdb_stuck", "later.t duckdb_stuck", "mixed duckdb_stuck"],
    },
  });
});
