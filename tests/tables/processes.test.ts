import { expect, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createHost, isAgnesError } from "../../lib/base/mod.ts";
import { fileStorage } from "../../lib/catalog/mod.ts";
import { openTableRegistry } from "../../lib/tables/mod.ts";
import { errorOf } from "./registry-setup.ts";

test("TableRegistry keeps every table when two processes register 200 each at once", async () => {
  const directory = await mkdtemp(join(tmpdir(), "agnes-tables-"));
  try {
    const script = join(import.meta.dir, "register-many.ts");
    const processes = ["a", "b"].map((source) =>
      Bun.spawn([process.execPath, script, directory, source, "200"], { stderr: "pipe", stdout: "pipe" }),
    );
    const results = await Promise.all(
      processes.map(async (child) => [await child.exited, await new Response(child.stderr).text()]),
    );
    expect(results).toEqual([
      [0, ""],
      [0, ""],
    ]);
    const host = createHost();
    await using registry = await openTableRegistry({ storage: fileStorage({ directory, host }), host });
    expect(await registry.version()).toBe(400);
    expect((await registry.list()).length).toBe(400);
    const history = await registry.history({ limit: 1000 });
    expect(history.map(({ version }) => version)).toEqual(
      Array.from({ length: 400 }, (_, index) => index + 1),
    );
    for (const actor of ["a", "b"]) {
      const own = history.filter((change) => change.actor === actor).map(({ id }) => id);
      expect(own).toEqual(Array.from({ length: 200 }, (_, index) => `${actor}.t${index}`));
    }
    expect(
      (await errorOf(() => registry.register({ source: "c", sourceTable: "x", viewName: "A_T7" }))).code,
    ).toBe("table_view_taken");
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("TableRegistry.update() loses no change of two processes that change one table at once", async () => {
  const directory = await mkdtemp(join(tmpdir(), "agnes-tables-"));
  try {
    const host = createHost();
    await using registry = await openTableRegistry({ storage: fileStorage({ directory, host }), host });
    await registry.register({ source: "crm", sourceTable: "orders" });
    const script = join(import.meta.dir, "count-up.ts");
    const processes = [1, 2].map(() =>
      Bun.spawn([process.execPath, script, directory, "crm.orders", "50"], { stderr: "inherit" }),
    );
    expect(await Promise.all(processes.map((child) => child.exited))).toEqual([0, 0]);
    expect(await registry.version()).toBe(101);
    expect((await registry.get("crm.orders"))!.incrementalWindowDays).toBe(100);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("openTableRegistry() refuses a store it cannot read, and never treats it as empty", async () => {
  const directory = await mkdtemp(join(tmpdir(), "agnes-tables-"));
  try {
    const host = createHost();
    const open = () => openTableRegistry({ storage: fileStorage({ directory, host }), host });
    const registry = await open();
    for (const table of ["a", "b", "c"]) await registry.register({ source: "crm", sourceTable: table });
    await registry.close();
    const log = (await readdir(directory, { recursive: true, withFileTypes: true })).filter((entry) =>
      entry.isFile(),
    );
    const entries = log.map((entry) => join(entry.parentPath, entry.name)).sort();
    let damaged = 0;
    for (const file of entries) {
      const content = await readFile(file);
      await writeFile(file, content.subarray(0, content.length >> 1));
      const tables = await (async () => {
        await using damagedRegistry = await open();
        return (await damagedRegistry.list()).length;
      })().catch((error: unknown) => (isAgnesError(error) ? error.code : String(error)));
      // A damaged snapshot may be passed over for the log; damage to the log itself is fatal.
      expect(["catalog_corrupt", 3] as unknown[]).toContain(tables);
      if (tables === "catalog_corrupt") damaged += 1;
      await writeFile(file, content);
    }
    expect(damaged).toBeGreaterThanOrEqual(3);
  } finally {
    await rm(directory, { recursive: true });
  }
});
