import { join } from "node:path";

import { AgnesError, eachOf, isAgnesError, type Host } from "../base/mod.ts";
import type { PublishedTable } from "../extract/mod.ts";
import { dataPaths } from "../workspace/mod.ts";
import type { PullClient } from "./client.ts";
import { CopyDatabase } from "./copy-database.ts";
import { downloadPart, partialPath, PartGone, placePart, type PartRequest } from "./download.ts";
import { isUncertain, type Manifest, type ManifestTable } from "./manifest.ts";
import {
  planTable,
  publishedTables,
  publishSource,
  type MissingPart,
  type TablePlan,
} from "./source-copy.ts";
import type { PullOptions, PullServices } from "./types.ts";

/** Number of parts to download at once. */
const CONCURRENCY = 4;

/** The state of one table in a round. */
interface TableWork {
  readonly plan: TablePlan;
  /** The size of all parts to download. */
  readonly totalBytes: number;
  /** Parts that are not downloaded yet. */
  left: number;
  downloadedParts: number;
  receivedBytes: number;
  error: AgnesError | null;
  /** Whether the server no longer has what it listed. */
  isGone: boolean;
}

interface SourceWork {
  readonly source: string;
  readonly directory: string;
  readonly published: readonly PublishedTable[];
  readonly tables: readonly TableWork[];
  /** Names of published tables that stay, because nothing certain is known of them. */
  readonly kept: ReadonlySet<string>;
  /** Tables that are neither complete nor failed. */
  left: number;
}

/** A part to download. */
interface Job {
  readonly source: SourceWork;
  readonly work: TableWork;
  readonly part: MissingPart;
}

/** The outcome of a table in a round. */
export interface RoundTable {
  readonly table: ManifestTable;
  readonly isChanged: boolean;
  readonly downloadedParts: number;
  readonly downloadedBytes: number;
  readonly error: AgnesError | null;
}

/** The outcome of one round. */
export interface RoundResult {
  readonly tables: readonly RoundTable[];
  /** Whether parts are gone, so that a new list of tables is needed. */
  readonly isGone: boolean;
  /** The tables that are published now, by id. */
  readonly published: ReadonlyMap<string, PublishedTable>;
  /** Ids of the tables that were published before and are not any more. */
  readonly removed: readonly string[];
  /** The number of parts on the disk that were hashed. */
  readonly verifiedParts: number;
}

/** What a round works with. */
interface Round {
  readonly services: PullServices;
  readonly options: PullOptions;
  readonly client: PullClient;
  readonly verify: boolean;
}

/**
 * Downloads what the workspace lacks of a manifest. Each source is published when the last of its tables is complete or
 * failed, so that a table is always whole and of one generation.
 */
export async function pullRound(
  round: Round,
  manifest: Manifest,
  sources: readonly string[],
): Promise<RoundResult> {
  const { services, options } = round;
  const works: SourceWork[] = [];
  for (const source of sources) works.push(await planSource(round, manifest, source));
  const jobs = works.flatMap((source) =>
    source.tables.flatMap((work) => work.plan.missing.map((part) => ({ source, work, part }))),
  );
  await checkSpace(services, jobs);
  await using database = new CopyDatabase(services);
  if (jobs.length > 0) void database.open();
  const results: Published[] = [];
  const settle = async (source: SourceWork) => {
    if (source.left === 0) results.push(await publishOne(services, database, source));
  };
  for (const source of works) await settle(source);
  const place = async ({ source, work, part }: Job) => {
    await placeOne(services, work, part);
    work.left -= 1;
    if (work.left > 0) return;
    const isComplete = work.error === null;
    report(options, work, isComplete ? "done" : "failed");
    if (isComplete && !work.plan.isCurrent) await database.check(source.directory, work.plan.target);
    source.left -= 1;
    await settle(source);
  };
  await eachThen(jobs, options.concurrency ?? CONCURRENCY, (job) => downloadOne(round, job), place);
  return roundResult(works, results);
}

/**
 * Does the first step of all items, at most `limit` at once, and the second one of each while the first ones of others run.
 * All have ended when it throws.
 */
async function eachThen<T>(
  items: readonly T[],
  limit: number,
  first: (item: T) => Promise<void>,
  second: (item: T) => Promise<void>,
): Promise<void> {
  const running: Promise<void>[] = [];
  const failures: unknown[] = [];
  const work = async (item: T) => {
    if (failures.length > 0) return;
    await first(item);
    running.push(second(item).catch((error: unknown) => void failures.push(error)));
  };
  try {
    await eachOf(items, limit, work);
  } finally {
    await Promise.all(running);
  }
  if (failures.length > 0) throw failures[0];
}

async function planSource(
  { services, verify }: Round,
  manifest: Manifest,
  source: string,
): Promise<SourceWork> {
  const { host, workspace } = services;
  const directory = dataPaths.extract(workspace.dataDirectory, source);
  const published = await publishedTables(services, directory);
  const listed = manifest.tables.filter((table) => table.source === source);
  const byName = new Map(published.map((table) => [table.name, table]));
  const tables: TableWork[] = [];
  for (const table of listed) {
    if (table.copy === null) continue;
    const before = byName.get(table.name);
    const plan = await planTable(host, directory, { table, published: before, verify });
    const left = plan.missing.length;
    const totalBytes = plan.missing.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    tables.push({ plan, totalBytes, left, downloadedParts: 0, receivedBytes: 0, error: null, isGone: false });
  }
  const uncertain = isUncertain(manifest);
  const kept = new Set(published.map(({ name }) => name).filter((name) => uncertain(`${source}.${name}`)));
  return { source, directory, published, tables, kept, left: tables.filter(({ left }) => left > 0).length };
}

/** @throws `disk_full` before anything is downloaded */
async function checkSpace({ host, workspace }: PullServices, jobs: readonly Job[]): Promise<void> {
  const directory = downloadsDirectory(workspace.dataDirectory);
  await host.files.makeDirectory(directory);
  let neededBytes = 0;
  for (const { work, part } of jobs) {
    const stat = await host.files.stat(partialPath(directory, work.plan.table.id, part.sha256));
    neededBytes += part.sizeBytes - (stat?.sizeBytes ?? 0);
  }
  const freeBytes = await host.files.freeBytes(directory);
  if (freeBytes === null || neededBytes <= freeBytes) return;
  throw new AgnesError("disk_full", { path: directory, neededBytes, freeBytes });
}

/** The folder of unfinished downloads. */
export function downloadsDirectory(dataDirectory: string): string {
  return join(dataPaths.copy(dataDirectory), "downloads");
}

/** Downloads one part, unless its table already failed. */
async function downloadOne(
  { services: { host, workspace }, options, client }: Round,
  { work, part }: Job,
): Promise<void> {
  const onBytes = (sizeBytes: number) => {
    work.receivedBytes += sizeBytes;
    report(options, work, "downloading");
  };
  const directory = downloadsDirectory(workspace.dataDirectory);
  await unlessFailed(work, () =>
    downloadPart({ host, client, directory, signal: options.signal, onBytes }, requestOf(work, part)),
  );
}

/** Moves a downloaded part to its path, unless its table failed. */
async function placeOne(
  { host, workspace }: PullServices,
  work: TableWork,
  part: MissingPart,
): Promise<void> {
  await unlessFailed(work, async () => {
    await placePart(host, downloadsDirectory(workspace.dataDirectory), requestOf(work, part));
    work.downloadedParts += 1;
  });
}

function requestOf({ plan: { table } }: TableWork, part: MissingPart): PartRequest {
  const remotePath = table.remotePaths.get(part.sha256)!;
  return { table: table.id, generation: table.generation, remotePath, ...part };
}

/** Does a step of a table, unless an earlier one failed, and keeps its error. */
async function unlessFailed(work: TableWork, step: () => Promise<void>): Promise<void> {
  if (work.error !== null || work.isGone) return;
  try {
    await step();
  } catch (error) {
    if (error instanceof PartGone) {
      work.isGone = true;
      work.error = error.error;
    } else if (isAgnesError(error) && !isAgnesError(error, "aborted")) work.error = error;
    else throw error;
  }
}

function report(
  { onProgress }: PullOptions,
  work: TableWork,
  phase: "downloading" | "done" | "failed",
): void {
  const { plan, receivedBytes, totalBytes } = work;
  onProgress?.({ table: plan.table.id, phase, receivedBytes, totalBytes });
}

interface Published {
  readonly source: SourceWork;
  readonly tables: readonly PublishedTable[];
  readonly failed: ReadonlyMap<string, AgnesError>;
}

async function publishOne(
  services: PullServices,
  database: CopyDatabase,
  source: SourceWork,
): Promise<Published> {
  const { directory, published, tables } = source;
  const complete = tables.filter(({ error }) => error === null);
  const incomplete = tables.filter(({ error }) => error !== null).map(({ plan }) => plan.target.name);
  await syncFolders(services.host, complete);
  const targets = complete.map(({ plan }) => plan.target);
  const kept = new Set([...source.kept, ...incomplete]);
  return { source, ...(await publishSource(services, database, directory, { published, targets, kept })) };
}

/** Makes the names of downloaded parts durable before anything refers to them. */
async function syncFolders({ files }: Host, tables: readonly TableWork[]): Promise<void> {
  for (const { plan } of tables) {
    const [first] = plan.missing;
    if (first !== undefined) await files.sync(join(first.path, ".."));
  }
}

function roundResult(works: readonly SourceWork[], results: readonly Published[]): RoundResult {
  const failed = new Map(
    results.flatMap(({ source, failed: found }) =>
      [...found].map(
        ([name, error]) => [source.tables.find(({ plan }) => plan.target.name === name), error] as const,
      ),
    ),
  );
  const tables = works.flatMap((source) =>
    source.tables.map((work): RoundTable => {
      const { table, isCurrent, missing } = work.plan;
      return {
        table,
        isChanged: !isCurrent || missing.length > 0,
        downloadedParts: work.downloadedParts,
        downloadedBytes: work.receivedBytes,
        error: work.error ?? failed.get(work) ?? null,
      };
    }),
  );
  const published = new Map(
    results.flatMap(({ source, tables: now }) => now.map((table) => [idOf(source, table), table] as const)),
  );
  const before = works.flatMap((source) => source.published.map((table) => idOf(source, table)));
  return {
    tables,
    isGone: works.some((source) => source.tables.some(({ isGone }) => isGone)),
    published,
    removed: before.filter((id) => !published.has(id)),
    verifiedParts: works
      .flatMap((source) => source.tables)
      .reduce((sum, { plan }) => sum + plan.verifiedParts, 0),
  };
}

const idOf = ({ source }: SourceWork, { name }: PublishedTable) => `${source}.${name}`;
