import { expect, test } from "bun:test";
import { join } from "node:path";

import { failureOf, registerRemote, withWarehouse } from "./warehouse.ts";

/** Starts a process that refreshes and never ends; returns when its first request has begun. */
async function refreshElsewhere(directory: string, ...table: string[]) {
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, "refresh-child.ts"), directory, ...table],
    {
      stdout: "pipe",
      stderr: "inherit",
    },
  );
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  expect(new TextDecoder().decode(value)).toBe("running\n");
  return {
    async kill() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

test("a refresh of another process is running until that process ends, even by SIGKILL", async () => {
  await withWarehouse(async (agnes, warehouse, directory) => {
    await registerRemote(agnes, "shop", ["orders", "people"]);
    const other = await refreshElsewhere(directory);
    try {
      const { lastRun } = await agnes.metadata.status();
      expect(lastRun).toMatchObject({ finishedAt: null, counts: null });
      // Also those that begin while this process waits for the lock.
      const works = [
        agnes.metadata.refresh(),
        agnes.metadata.refresh(),
        agnes.metadata.refreshTable("orders"),
        agnes.metadata.refreshTable("orders"),
      ];
      for (const work of works.map(failureOf)) {
        const { code, details } = await work;
        expect([code, details]).toEqual([
          "already_running",
          {
            what: "a refresh of the metadata of all tables",
            runId: lastRun!.runId,
            startedAt: lastRun!.startedAt,
          },
        ]);
      }
      expect(warehouse.calls).toEqual([]);
    } finally {
      await other.kill();
    }
    expect(await agnes.metadata.refreshTable("orders")).toMatchObject({ status: "ok" });
    // The run of the killed process is over.
    expect((await agnes.metadata.status()).lastRun).toMatchObject({
      finishedAt: expect.any(String) as string,
      counts: null,
    });
    expect(await agnes.metadata.refresh()).toMatchObject({ succeeded: 2 });
  });
});

test("a table that another process refreshes is running, and other tables are not", async () => {
  await withWarehouse(async (agnes, _warehouse, directory) => {
    await registerRemote(agnes, "shop", ["orders", "people"]);
    const other = await refreshElsewhere(directory, "orders");
    try {
      const error = await failureOf(agnes.metadata.refreshTable("shop.orders"));
      expect(error).toMatchObject({
        code: "already_running",
        details: {
          what: "a refresh of the metadata of this table",
          runId: expect.stringMatching(/^[0-9a-z]{12}$/) as string,
        },
      });
      expect(await agnes.metadata.refreshTable("people")).toMatchObject({ status: "ok" });
      expect(await agnes.metadata.refresh()).toMatchObject({ succeeded: 2 });
    } finally {
      await other.kill();
    }
    expect(await agnes.metadata.refreshTable("orders")).toMatchObject({ status: "ok" });
  });
});

test("a refresh takes over from a process that was killed", async () => {
  await withWarehouse(async (agnes, _warehouse, directory) => {
    await registerRemote(agnes, "shop", ["orders"]);
    const other = await refreshElsewhere(directory);
    const { lastRun } = await agnes.metadata.status();
    await other.kill();
    const { runId, succeeded } = await agnes.metadata.refresh();
    expect([succeeded, runId === lastRun!.runId]).toEqual([1, false]);
    expect((await agnes.metadata.status()).lastRun).toMatchObject({ runId, counts: { total: 1 } });
  });
});
