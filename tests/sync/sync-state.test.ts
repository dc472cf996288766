import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createHost, silentLog } from "../../lib/base/mod.ts";
import { fileStorage } from "../../lib/catalog/mod.ts";
import { SyncState } from "../../lib/sync/mod.ts";
import { unsyncedFiles } from "../catalog/unsynced-files.ts";

let directory: string;
beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), "agnes-sync-state-"))));
afterEach(() => rm(directory, { recursive: true }));

function open(): Promise<SyncState> {
  const host = createHost({ files: unsyncedFiles() });
  return SyncState.open({ storage: fileStorage({ directory, host }), host, log: silentLog });
}

const moment = (run: number) => new Date(Date.UTC(2026, 0, 1) + run * 60_000);
const run = (number: number) => ({ id: `run${number}`, startedAt: moment(number).toISOString() });
const tables = (...names: readonly string[]) => names.map((table) => ({ table, error: null }));

test("record() keeps a bounded log and the last state of every table", async () => {
  await using state = await open();
  await state.record("old", run(0), tables("once"));
  const entries: number[] = [];
  for (let at = 1; at <= 1500; at++) {
    await state.record("crm", run(at), tables("orders", "people"));
    if (at % 500 === 0) entries.push(await state.verify());
  }
  expect(Math.max(...entries)).toBeLessThan(256 + 2 * 256);
  await using again = await open();
  for (const one of [state, again]) {
    expect(await one.succeeded("old")).toEqual(new Map([["once", moment(0)]]));
    expect((await one.succeeded("crm")).get("people")).toEqual(moment(1500));
  }
  const files = await readdir(join(directory, "sync"), { recursive: true });
  expect(files.length).toBeLessThan(256 + 2 * 256 + 20);
});
