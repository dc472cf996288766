import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";

import { errorCodes } from "../../lib/base/mod.ts";

const FOLDER = join(import.meta.dirname, "../../lib/base/errors");

test("errorCodes contains each code exactly once", async () => {
  const owners = new Map<string, string[]>();
  for (const file of readdirSync(FOLDER)) {
    const module = (await import(join(FOLDER, file))) as Record<string, unknown>;
    for (const [name, part] of Object.entries(module)) {
      if (!/^[a-z][a-zA-Z]*Errors$/.test(name)) continue;
      for (const code of Object.keys(part as object)) owners.set(code, [...(owners.get(code) ?? []), file]);
    }
  }
  expect([...owners].filter(([, files]) => files.length > 1)).toEqual([]);
  expect([...owners.keys()].sort()).toEqual(Object.keys(errorCodes).sort());
});
