import { expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";

import { parseDataDescription, renderProjection } from "../../lib/tables/mod.ts";
import { hostileText } from "../tables/hostile-changes.ts";
import { memoryRegistry } from "../tables/registry-setup.ts";
import { pythonWith, run } from "./python.ts";

const upstream = (...args: readonly string[]) =>
  run(pythonWith(["pyyaml==6.0.3"]), [join(import.meta.dir, "upstream.py"), ...args]);

test("what PyYAML writes for the earlier system is imported as it is, and its readers read the export so", async () => {
  const directory = await mkdtemp(join(tmpdir(), "agnes-upstream-"));
  try {
    const texts = [
      ...fc.sample(hostileText, { numRuns: 400, seed: 8 }),
      "1e3",
      "0o17",
      "1_0",
      "y",
      "=",
      "1.5e3",
      "08",
      ".",
    ];
    const tables = texts.map((description, at) => ({
      id: `in.c-crm.t${at}`,
      name: `t${at}`,
      description,
      primary_key: "id, day",
      sync_strategy: "full_refresh",
      where_filters: [
        { column: "c", operator: "eq", values: [at, true, `${at}e3`, description.slice(0, 900)] },
      ],
      dataset: "sales",
    }));
    const content = { folder_mapping: { "in.c-crm": "crm" }, tables };
    const [json, markdown] = [join(directory, "in.json"), join(directory, "out.md")];
    await writeFile(json, JSON.stringify(content));
    const document = parseDataDescription(upstream("write", json), { path: "written", source: "kbc" });
    await using registry = await memoryRegistry();
    await registry.import(document);
    let text = "";
    for await (const piece of renderProjection(registry, "upstream")) text += piece;
    await writeFile(markdown, text);
    const [read] = JSON.parse(upstream("read", markdown)) as [{ readonly tables: readonly { id: string }[] }];
    const byId = (all: readonly { id: string }[]) => all.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    expect(byId(read.tables)).toEqual(byId(tables));
  } finally {
    await rm(directory, { recursive: true });
  }
});
