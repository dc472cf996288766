import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createAgnes } from "../../lib/create-agnes.ts";
import program from "../../plugins/program/plugin.ts";
import { ROOT } from "../../tools/source.ts";
import { pythonWith } from "./python.ts";

setDefaultTimeout(600_000);

test("the program of docs/guide/program-sources.md publishes all rows, and then new ones", async () => {
  const python = pythonWith(["duckdb==1.5.5"]);
  const guide = await readFile(join(ROOT, "docs", "guide", "program-sources.md"), "utf8");
  const [, source] = /```python\n(.*?)```/s.exec(guide)!;
  const directory = await mkdtemp(join(tmpdir(), "agnes-program-guide-"));
  try {
    await writeFile(join(directory, "extract.py"), source!);
    await writeFile(join(directory, "prices.txt"), "1.50\n2.25\n");
    await using agnes = await createAgnes({
      plugins: [program],
      workspace: directory,
      config: {
        version: 1,
        sources: {
          prices: {
            plugin: "program",
            options: {
              command: [python, "extract.py"],
              tables: { prices: { primaryKey: ["id"], cursor: "id", settings: { from: "prices.txt" } } },
            },
          },
        },
      },
    });
    expect(await agnes.sync()).toMatchObject({ sources: [{ status: "complete" }] });
    await (await agnes.tables()).update("prices.prices", { syncStrategy: "incremental" });
    await writeFile(join(directory, "prices.txt"), "1.50\n2.25\n3\n");
    expect(await agnes.sync()).toMatchObject({ sources: [{ status: "complete" }] });
    expect(await agnes.sync()).toMatchObject({ sources: [{ status: "complete" }] });
    const sql = "SELECT count(*) AS n, sum(price)::VARCHAR AS total FROM prices";
    expect(await agnes.rows(sql)).toEqual([{ n: 3, total: "6.75" }]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
