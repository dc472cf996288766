import { expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";

import { createAgnes } from "agnes";

import files from "../../plugins/files/plugin.ts";
import { makeFolder } from "./support.ts";

test("a file that was never readable and is removed fails a sync only if its table is requested", async () => {
  await using folder = await makeFolder();
  const bytes = Buffer.from(`id,v\n${`1,${"p".repeat(100)}\n`.repeat(25_000)}`);
  bytes[bytes.length - 50] = 0xff;
  await folder.write("exports/big.csv", bytes);
  await folder.write("exports/ok.csv", "id\n1\n");
  await using agnes = await createAgnes({
    workspace: folder.path,
    plugins: [files],
    config: { version: 1, sources: { exports: { plugin: "files", options: { path: "exports" } } } },
  });
  const first = (await agnes.sync()).sources[0]!;
  expect(first.stats!.errors.map(({ table, error }) => [table, error.code])).toEqual([
    ["big", "file_unreadable"],
  ]);
  await rm(join(folder.path, "exports/big.csv"));
  const second = (await agnes.sync()).sources[0]!;
  expect([second.status, second.stats!.errors]).toEqual(["complete", []]);
  expect(second.notes).toEqual([
    "exports.big is no longer in its source and was never published: remove it with `agnes table unregister exports.big`",
  ]);
  const asked = (await agnes.sync({ only: ["exports.big"] })).sources[0]!;
  expect(asked.stats!.errors.map(({ error }) => error.code)).toEqual(["table_vanished"]);
  // Losing a published table is an error.
  await rm(join(folder.path, "exports/ok.csv"));
  await folder.write("exports/other.csv", "id\n1\n");
  const lost = (await agnes.sync()).sources[0]!;
  expect(lost.stats!.errors.map(({ table, error }) => [table, error.code])).toEqual([
    ["ok", "table_vanished"],
  ]);
});
