import { join } from "node:path";

import { isAgnesError, type AgnesError, type Host, type Log } from "../base/mod.ts";
import type { DuckDBLimits } from "../duckdb/mod.ts";
import {
  copiedTable,
  isSameCopy,
  publishCopy,
  readExtract,
  sha256OfFile,
  type PublishedTable,
} from "../extract/mod.ts";
import type { CopyDatabase } from "./copy-database.ts";
import type { ManifestTable } from "./manifest.ts";
import { linkFound } from "./no-links.ts";

/** A part to download. */
export interface MissingPart {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly path: string;
}

/** One table of the server and what this workspace lacks of it. */
export interface TablePlan {
  readonly table: ManifestTable;
  readonly target: PublishedTable;
  /** Whether the published table is already the target, apart from missing files. */
  readonly isCurrent: boolean;
  readonly missing: readonly MissingPart[];
  /** The number of parts on the disk that were hashed. */
  readonly verifiedParts: number;
}

interface CopyServices {
  readonly host: Host;
  readonly log: Log;
  readonly limits: DuckDBLimits;
}

/** Reads the published tables of a pulled source. If they cannot be read, the pull publishes the source again. */
export async function publishedTables(
  { host, log }: CopyServices,
  directory: string,
): Promise<readonly PublishedTable[]> {
  try {
    return (await readExtract(host.files, directory))?.tables ?? [];
  } catch (error) {
    if (!isAgnesError(error, "extract_unreadable")) throw error;
    log.warn("an extract of the copy cannot be read and is published again", { error });
    return [];
  }
}

/**
 * Compares a table of the server with the published one and with the files.
 *
 * @param verify whether to hash the files; otherwise a file of the right size is intact, because it was hashed before it got
 *   its name
 * @throws `pull_link_found`
 */
export async function planTable(
  { files }: Host,
  directory: string,
  {
    table,
    published,
    verify,
  }: {
    readonly table: ManifestTable;
    readonly published: PublishedTable | undefined;
    readonly verify: boolean;
  },
): Promise<TablePlan> {
  const target = copiedTable(directory, table.copy!);
  const missing = new Map<string, MissingPart>();
  const verified = new Set<string>();
  for (const part of target.parts) {
    if (missing.has(part.sha256) || verified.has(part.sha256)) continue;
    const path = join(directory, part.path);
    const found = await files.identify(path);
    if (found?.kind === "link") throw linkFound(path, directory);
    const isWhole = found?.kind === "file" && found.sizeBytes === part.sizeBytes;
    if (isWhole && verify) verified.add(part.sha256);
    if (isWhole && (!verify || (await sha256OfFile(files, path, part.sizeBytes)) === part.sha256)) continue;
    if (found?.kind === "directory") await files.removeDirectory(path);
    missing.set(part.sha256, { sha256: part.sha256, sizeBytes: part.sizeBytes, path });
  }
  return {
    table,
    target,
    isCurrent: isSameCopy(published, target),
    missing: [...missing.values()],
    verifiedParts: verified.size,
  };
}

/** The outcome of publishing a source. */
export interface PublishedCopy {
  readonly tables: readonly PublishedTable[];
  /** Tables that could not be published, by name. */
  readonly failed: ReadonlyMap<string, AgnesError>;
}

/**
 * Publishes the tables of a source, if they differ from the published ones. A table whose parts do not have its rows and
 * columns keeps its published state.
 */
export async function publishSource(
  services: CopyServices,
  database: CopyDatabase,
  directory: string,
  {
    published,
    targets,
    kept,
  }: {
    readonly published: readonly PublishedTable[];
    /** Tables with all of their parts. */
    readonly targets: readonly PublishedTable[];
    /** Names of published tables that stay as they are. */
    readonly kept: ReadonlySet<string>;
  },
): Promise<PublishedCopy> {
  const byName = new Map(published.map((table) => [table.name, table]));
  const failed = new Map<string, AgnesError>();
  const accepted: PublishedTable[] = [];
  for (const target of targets) {
    const isChanged = !isSameCopy(byName.get(target.name), target);
    const problem = isChanged ? await database.check(directory, target) : null;
    if (problem !== null) failed.set(target.name, problem);
    const next = problem === null ? target : byName.get(target.name);
    if (next !== undefined) accepted.push(next);
  }
  for (const table of published) if (kept.has(table.name)) accepted.push(table);
  const isSame =
    accepted.length === published.length &&
    accepted.every((table) => isSameCopy(byName.get(table.name), table));
  if (!isSame) await database.publish(() => publishCopy(services, database.open, directory, accepted));
  return { tables: accepted, failed };
}
