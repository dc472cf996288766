import { beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";

import type { Catalog } from "agnes/catalog";

import type { AgnesError } from "../../lib/base/mod.ts";
import { ForgetfulDisk } from "../fakes/forgetful-files.ts";
import { openOn } from "./power-failure.ts";

const ROOT = "/data/state/things";
const KEEP = 256;

setDefaultTimeout(60_000);

type Things = Catalog<{ readonly id: string; readonly group: string }>;

let disk: ForgetfulDisk;
beforeEach(() => void (disk = new ForgetfulDisk()));

const open = (actor = "ann", on = disk) => openOn(on, actor, { keepEntries: KEEP });

/** Writes entries with these numbers; each replaces one of ten records. */
async function write(catalog: Things, from: number, to: number): Promise<void> {
  for (let at = from; at <= to; at++) await catalog.insert({ id: `i${at % 10}`, group: `${at}` });
}

/** The state after `count` entries. */
const stateAt = (count: number) =>
  Array.from({ length: 10 }, (_, id) => ({ id: `i${id}`, group: `${count - ((count - id) % 10)}` }));

const stateOf = async (catalog: Things) => (await catalog.query({})).map(({ record }) => record);

async function sequencesOf(catalog: Things): Promise<readonly number[]> {
  const found: number[] = [];
  for await (const { sequence } of catalog.entries()) found.push(sequence);
  return found;
}

/** All files of the catalog. */
async function filesOf(path = ROOT, on = disk): Promise<readonly string[]> {
  const files = on.files();
  const found: string[] = [];
  for (const name of (await files.list(path)) ?? []) {
    const stat = await files.stat(`${path}/${name}`);
    found.push(...(stat!.isDirectory ? await filesOf(`${path}/${name}`, on) : [`${path}/${name}`]));
  }
  return found;
}

async function codeOf(work: () => Promise<unknown>): Promise<readonly unknown[]> {
  const error = (await work().catch((thrown: unknown) => thrown)) as
    AgnesError<"catalog_corrupt"> | undefined;
  return [error?.code, error?.details?.place];
}

describe("openCatalog() with keepEntries", () => {
  test("keeps the newest entries and the complete state, regardless of how much is written", async () => {
    const catalog = await open();
    const sizes: number[] = [];
    for (const count of [700, 1400, 2100]) {
      await write(catalog, count - 699, count);
      await catalog.rebuildIndexes();
      const kept = await sequencesOf(catalog);
      expect(kept).toEqual(Array.from({ length: kept.length }, (_, at) => count - kept.length + 1 + at));
      expect(kept.length).toBeGreaterThanOrEqual(KEEP);
      expect(kept.length).toBeLessThanOrEqual(KEEP + 2 * 256);
      expect(await stateOf(catalog)).toEqual(stateAt(count));
      sizes.push((await filesOf()).length);
    }
    expect(Math.max(...sizes)).toBeLessThan(KEEP + 2 * 256 + 10);
    await catalog.close();
    await using again = await open();
    expect(await stateOf(again)).toEqual(stateAt(2100));
    expect((await again.insert({ id: "i1", group: "more" })).version).toBe(2101);
    const versions = (await again.history({ rowKey: "i1" })).map(({ sequence }) => sequence);
    expect(versions.slice(-2)).toEqual([2091, 2101]);
    expect(versions[0]).toBeGreaterThan(1300);
  });

  test("keeps every entry without it, and drops no more for a handle opened without it", async () => {
    const catalog = await openOn(disk);
    await write(catalog, 1, 1100);
    await catalog.close();
    await using again = await openOn(disk);
    expect(await sequencesOf(again)).toHaveLength(1100);
  });

  test("serves a process that is far behind", async () => {
    const [behind, writer] = [await open(), await open()];
    await write(behind, 1, 10);
    await write(writer, 11, 1500);
    await writer.close();
    expect(await stateOf(behind)).toEqual(stateAt(1500));
    expect((await behind.insert({ id: "i1", group: "late" })).version).toBe(1501);
  });

  test("continues to iterate while earlier entries are dropped", async () => {
    const [reader, writer] = [await open(), await open()];
    await write(writer, 1, 600);
    const seen: number[] = [];
    for await (const { sequence } of reader.entries()) {
      if (seen.length === 0) await write(writer, 601, 2000);
      seen.push(sequence);
    }
    expect(seen.at(-1)).toBe(2000);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });

  test("assigns the next free number to a writer that was suspended until its block was dropped", async () => {
    const [sleeper, other] = [await open("sleeper"), await open()];
    await other.insert({ id: "i1", group: "1" });
    let wake = () => {};
    let asleep = () => {};
    const slept = new Promise<void>((resolve) => (wake = resolve));
    const sleeping = new Promise<void>((resolve) => (asleep = resolve));
    let isFirst = true;
    disk.before = async (operation, path) => {
      if (operation !== "makeDirectory" || !path.endsWith("log/00000000") || !isFirst) return;
      isFirst = false;
      asleep();
      await slept;
    };
    const late = sleeper.insert({ id: "late", group: "late" });
    await sleeping;
    await write(other, 2, 1300);
    await other.close();
    wake();
    expect(await late).toEqual({ version: 1301, changed: true });
    await using reader = await open();
    expect(await reader.get("late")).toMatchObject({ version: 1301 });
  });

  test("reports each lost file as damage", async () => {
    const catalog = await open();
    await write(catalog, 1, 1300);
    await catalog.close();
    const [base] = (await filesOf(`${ROOT}/base`)) as [string];
    const first = (await sequencesOf(await open()))[0]!;
    const files = disk.files();
    const bytes = (await files.read(base))!;
    const place = (sequence: number) => {
      const block = String(Math.floor((sequence - 1) / 256)).padStart(8, "0");
      return `${ROOT}/log/${block}/${String(sequence).padStart(12, "0")}.json`;
    };
    await files.remove(base);
    expect((await codeOf(() => open()))[0]).toBe("catalog_corrupt");
    await files.write(base, bytes.slice(0, -20));
    expect(await codeOf(() => open())).toEqual(["catalog_corrupt", base]);
    await files.write(base, bytes, { replace: true });
    const open1 = await open();
    await files.remove(place(1290));
    expect(await codeOf(() => open())).toEqual(["catalog_corrupt", place(1290)]);
    expect(await codeOf(() => stateOf(open1))).toEqual(["catalog_corrupt", place(1290)]);
    for (let sequence = first; sequence <= 1300; sequence++) await files.remove(place(sequence));
    expect((await codeOf(() => open()))[0]).toBe("catalog_corrupt");
    expect((await codeOf(() => open1.rebuildIndexes()))[0]).toBe("catalog_corrupt");
  });

  test("drops nothing because of an entry that is not durable", async () => {
    const [one, other] = [await open(), await open()];
    await other.insert({ id: "i1", group: "1" });
    await write(one, 2, 511);
    disk.before = (operation, path) => {
      if (operation === "sync" && path.endsWith("log/00000001")) throw new Error("EIO");
    };
    expect((await codeOf(() => write(one, 512, 512)))[0]).toBe("catalog_outcome_unknown");
    disk.before = () => {};
    expect(await stateOf(other)).toEqual(stateAt(512));
    await other.close();
    expect(await filesOf(`${ROOT}/base`)).toHaveLength(1);
    disk.cutPower();
    expect(await stateOf(await open())).toEqual(stateAt(512));
  });

  test("loses nothing when the power fails at any step of dropping entries", async () => {
    const before = await open();
    await write(before, 1, 511);
    await before.close();
    let step = 0;
    for (let isCut = true; isCut;) {
      step += 1;
      for (const kept of ["nothing", "half", "everything"] as const) {
        const on = disk.copy();
        isCut = await dropWith(on, step, kept);
        await using again = await open("ann", on);
        const version = await again.version();
        const found = [step, kept, version >= 511, await stateOf(again)];
        expect(found).toEqual([step, kept, true, stateAt(version)]);
        if (kept !== "half" || step % 5 !== 0) continue;
        // The next run completes the interrupted work.
        await again.rebuildIndexes();
        await write(again, version + 1, 768);
        await again.close();
        expect(await filesOf(`${ROOT}/log`, on)).toHaveLength(256);
        expect(await filesOf(`${ROOT}/base`, on)).toHaveLength(1);
        expect(await stateOf(await open("ann", on))).toEqual(stateAt(768));
      }
    }
    expect(step).toBeGreaterThan(10);
  });
});

/** Writes the entry that drops the oldest ones, and cuts the power before a step if there are that many. */
async function dropWith(
  on: ForgetfulDisk,
  step: number,
  kept: "nothing" | "half" | "everything",
): Promise<boolean> {
  const catalog = await open("ann", on);
  let steps = 0;
  let cut = () => {};
  const failed = new Promise<void>((resolve) => (cut = resolve));
  on.before = (operation) => {
    if (["read", "list", "stat"].includes(operation)) return;
    steps += 1;
    if (steps !== step) return;
    let at = 0;
    on.cutPower(() => kept === "everything" || (kept === "half" && at++ % 2 === 0));
    cut();
  };
  const writing = (async () => {
    await write(catalog, 512, 512);
    await catalog.close();
  })();
  await Promise.race([failed, writing]);
  on.before = () => {};
  return steps >= step;
}
