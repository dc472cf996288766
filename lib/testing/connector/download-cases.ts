import assert from "node:assert/strict";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

import { counted, toExposedName } from "../../base/mod.ts";
import type { TableInfo } from "../../kit/mod.ts";
import type { FakeServer } from "../fakes/fake-server.ts";
import type { FaultyRequest, FetchFault } from "../fakes/faulty-fetch.ts";
import { assertPublished, extract, withPublished } from "./extract-cases.ts";
import { Workbench } from "./rows.ts";
import type { Session } from "./session.ts";
import type { SourceCase } from "./source-case.ts";

/** Cases about `http.download`. */
export const downloadCases: readonly SourceCase[] = [
  {
    name: "an extract survives a connection lost during a download",
    needs: ["read"],
    needsTables: true,
    when: (config) => config.server !== undefined,
    run: (session) => eachDownloaded(session, checkCut),
  },
  {
    name: "read() resumes the downloads of an interrupted read",
    needs: ["read"],
    needsTables: true,
    when: (config) => config.server !== undefined,
    run: (session) => eachDownloaded(session, checkResumed),
  },
];

/** A table that is read by `http.download`. */
interface Downloaded {
  readonly session: Session;
  readonly server: FakeServer;
  readonly bench: Workbench;
  readonly table: TableInfo;
  /** The number of requests for files. */
  readonly downloads: number;
  /** The relation with all rows. */
  readonly all: string;
}

async function eachDownloaded(
  session: Session,
  check: (downloaded: Downloaded) => Promise<void>,
): Promise<string | undefined> {
  const server = session.config.server!;
  await using bench = await Workbench.open(session);
  let count = 0;
  for (const table of await session.readTables()) {
    const before = server.requests.length;
    const all = await bench.readWhole(table);
    const downloads = server.requests.slice(before).filter(isDownload).length;
    if (all === null || downloads === 0) continue;
    count += 1;
    try {
      await check({ session, server, bench, table, downloads, all });
    } finally {
      server.inject([]);
    }
  }
  return count > 0 ? undefined : "no table is read by http.download, so nothing was tested";
}

/** Cuts the last file, so that all others are complete. */
async function checkCut({ session, server, bench, table, downloads, all }: Downloaded): Promise<void> {
  server.inject([{ kind: "cut body" }], downloads - 1, isDownload);
  const { directory, stats } = await extract(session, [table], { directory: directoryOf(session, table) });
  assert.equal(server.pending, 0, `the read of ${table.name} requests fewer files than the read before`);
  assertPublished(stats, [table]);
  await assertSame({ bench, table, all }, directory);
}

async function checkResumed({ session, server, bench, table, downloads, all }: Downloaded): Promise<void> {
  const resets = Array.from({ length: 100 }, (): FetchFault => ({ kind: "reset" }));
  server.inject([{ kind: "cut body" }, ...resets], downloads - 1, isDownload);
  const directory = directoryOf(session, table);
  const interrupted = await extract(session, [table], { directory });
  server.inject([]);
  assert.equal(interrupted.stats.tablesFailed, 1, `the read of ${table.name} ignores a failed download`);
  assert.ok(
    (await keptBytes(directory)) > 0,
    `an interrupted read of ${table.name} keeps no bytes; pass the directory of ReadOptions to http.download`,
  );
  const before = server.requests.length;
  const { stats } = await extract(session, [table], { directory });
  assertPublished(stats, [table]);
  await assertSame({ bench, table, all }, directory);
  const again = server.requests
    .slice(before)
    .filter((request) => isDownload(request) && !isConditional(request));
  const [first] = again;
  assert.ok(
    first === undefined,
    `the read of ${table.name} after an interrupted one downloads ${counted(again.length, "file")} from the start, ` +
      `for example ${first?.url.split("?")[0]}; set the same key for the same content`,
  );
}

async function assertSame(
  { bench, table, all }: Pick<Downloaded, "bench" | "table" | "all">,
  directory: string,
): Promise<void> {
  await withPublished(bench, directory, (relationOf) =>
    bench.assertSameRows(relationOf(table.name), all, `the extract of ${table.name}`),
  );
}

/** `http.download` is the only part of the kit that rejects encodings, so that ranges count the bytes of the file. */
function isDownload({ headers }: Pick<FaultyRequest, "headers">): boolean {
  return headers.get("accept-encoding") === "identity";
}

function isConditional({ headers }: Pick<FaultyRequest, "headers">): boolean {
  return ["range", "if-none-match", "if-modified-since"].some((name) => headers.has(name));
}

function directoryOf({ scratch }: Session, { name }: TableInfo): string {
  return join(scratch, `downloads-${toExposedName(name)}`);
}

/** Returns the size of the files that a read left behind, without the notes about them. */
async function keptBytes(directory: string): Promise<number> {
  let sizeBytes = 0;
  const entries = await readdir(join(directory, "reads"), { recursive: true, withFileTypes: true }).catch(
    () => [],
  );
  for (const entry of entries) {
    if (entry.isFile() && !entry.name.endsWith(".json"))
      sizeBytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return sizeBytes;
}
