import { describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { AgnesError, createHost, nodeFiles, silentLog, type Files, type Host } from "../../lib/base/mod.ts";
import { analyticsPath } from "../../lib/analytics/mod.ts";
import { rebuildAnalytics } from "../../lib/analytics/rebuild.ts";
import { openDatabase } from "../../lib/duckdb/mod.ts";
import { temporaryData, writeExtract } from "./extract-files.ts";

const services = { host: createHost(), log: silentLog, limits: { memoryMb: 512, threads: 2 } };

describe("rebuildAnalytics() on a failing disk", () => {
  const steps = ["write", "sync", "chmod", "rename", "remove", "makeDirectory"] as const;

  /** A host whose n-th call of one step fails with a full disk. */
  function failing(step: (typeof steps)[number], failAt: number): { host: Host; failed: () => boolean } {
    let calls = 0;
    let failed = false;
    const files = nodeFiles();
    const wrapped = {
      ...files,
      [step]: async (path: string, ...rest: never[]) => {
        calls += 1;
        if (calls === failAt) {
          failed = true;
          throw new AgnesError("disk_full", { path });
        }
        return (files[step] as (path: string, ...rest: never[]) => Promise<void>)(path, ...rest);
      },
    } as Files;
    return { host: createHost({ files: wrapped }), failed: () => failed };
  }

  for (const step of steps) {
    test(`at every ${step}: the old or the new file is intact, and the next rebuild succeeds`, async () => {
      await using place = await temporaryData();
      const publish = (host: Host) =>
        rebuildAnalytics({ ...services, host }, { dataDirectory: place.data, owners: null });
      const write = (id: number) =>
        writeExtract(place.data, "crm", { tables: [{ name: `t${id}`, rows: `SELECT ${id} AS id` }] });
      await write(0);
      await publish(services.host);
      for (let failAt = 1; ; failAt += 1) {
        await write(failAt);
        const { host, failed } = failing(step, failAt);
        const outcome = await publish(host).then(
          () => "done",
          (error: unknown) => (error as AgnesError).code,
        );
        expect([failAt - 1, failAt]).toContain(await publishedTable(place.data));
        if (!failed()) {
          expect(outcome).toBe("done");
          return;
        }
        expect(["disk_full", "done"]).toContain(outcome);
        expect((await publish(services.host)).published.length).toBe(1);
        expect(await publishedTable(place.data)).toBe(failAt);
        const left = await readdir(join(place.data, "analytics"));
        expect(left.filter((name) => name.includes(".tmp"))).toEqual([]);
      }
    });
  }
});

/** The number of the only table in the file, which must be complete. */
async function publishedTable(data: string): Promise<number> {
  await using database = await openDatabase({ path: analyticsPath(data), readOnly: true });
  await using connection = await database.connect();
  const views = await connection.rows<{ v: string }>(
    "SELECT schema_name || '.' || view_name AS v FROM duckdb_views() WHERE NOT internal ORDER BY 1",
  );
  const table = views.at(-1)!.v.slice("main.".length);
  const id = Number(table.slice("t".length));
  expect(views.map(({ v }) => v)).toEqual([`crm.${table}`, `main.${table}`]);
  expect(await connection.rows<object>(`SELECT id FROM ${table}`)).toEqual([{ id }]);
  expect(await connection.rows<object>("SELECT id FROM _agnes.tables")).toEqual([{ id: `crm.${table}` }]);
  return id;
}
