import { describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { AgnesError, createHost, nodeFiles, silentLog, type Files, type Host } from "../../lib/base/mod.ts";
import { rebuildAnalytics } from "../../lib/analytics/mod.ts";
import { readAlone, temporaryData, writeExtract } from "./extract-files.ts";

const services = { host: createHost(), log: silentLog, limits: { memoryMb: 512, threads: 2 } };

describe("rebuildAnalytics() on a failing disk", () => {
  const steps = ["write", "sync", "chmod", "rename", "remove", "makeDirectory"] as const;

  /** A host on which the n-th call of one step finds the disk full. */
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
    test(`at every ${step}: the old file or the new one is there, whole, and the next rebuild needs no help`, async () => {
      for (let failAt = 1; ; failAt += 1) {
        await using place = await temporaryData();
        await writeExtract(place.data, "crm", { tables: [{ name: "x", rows: "SELECT 1 AS id" }] });
        await rebuildAnalytics(services, { dataDirectory: place.data, owners: null });
        await writeExtract(place.data, "crm", { tables: [{ name: "y", rows: "SELECT 2 AS id" }] });
        const { host, failed } = failing(step, failAt);
        const outcome = await rebuildAnalytics(
          { ...services, host },
          { dataDirectory: place.data, owners: null },
        ).then(
          () => "done",
          (error: unknown) => (error as AgnesError).code,
        );
        const shown = await readAlone<{ v: string }>(
          place.data,
          "SELECT schema_name || '.' || view_name AS v FROM duckdb_views() WHERE NOT internal ORDER BY 1",
        );
        const table = shown.at(-1)!.v.slice("main.".length);
        expect(shown.map(({ v }) => v)).toEqual([`crm.${table}`, `main.${table}`]);
        expect(await readAlone<object>(place.data, `SELECT id FROM ${table}`)).toEqual([
          { id: table === "x" ? 1 : 2 },
        ]);
        expect(await readAlone<object>(place.data, "SELECT id FROM _agnes.tables")).toEqual([
          { id: `crm.${table}` },
        ]);
        if (!failed()) {
          expect(outcome).toBe("done");
          return;
        }
        expect(["disk_full", "done"]).toContain(outcome);
        expect(
          (await rebuildAnalytics(services, { dataDirectory: place.data, owners: null })).published.length,
        ).toBe(1);
        expect(await readAlone<object>(place.data, "FROM y")).toEqual([{ id: 2 }]);
        expect(
          (await readdir(join(place.data, "analytics"))).filter((name) => name.includes(".tmp")),
        ).toEqual([]);
      }
    }, 20_000);
  }
});
