import { expect, test } from "bun:test";

import { makeFolder } from "./support.ts";
import { syncFolder } from "./sync-folder.ts";

test("an invalid byte after a value that does not fit is named, and a quarantine does not lose its row", async () => {
  await using folder = await makeFolder();
  const rows = Array.from({ length: 30_000 }, (_, at) => `${at},${at % 7},${"p".repeat(100)}\n`);
  rows[25_000] = "25000,007,p\n";
  const bytes = Buffer.from(`id,v,p\n${rows.join("")}`);
  bytes[bytes.length - 2000] = 0xff;
  await folder.write("data/t.csv", bytes);
  for (const quarantine of [false, true]) {
    const { errors } = await syncFolder(folder, { path: "data" }, { plan: { quarantine } });
    expect(errors.map(({ error }) => [error.code, error.message])).toEqual([
      [
        "file_unreadable",
        'could not read "t.csv": line 29983, character 72: byte 0xff is not UTF-8; set csv.encoding to its encoding, such as windows-1252',
      ],
    ]);
  }
});
