import { join } from "node:path";

import { AgnesError, throwIfAborted } from "../../base/mod.ts";
import { writeSql } from "../merge/merge.ts";
import { readParquet } from "../schema/select.ts";
import { columnList } from "../schema/view.ts";
import type { TableJob } from "../job/job.ts";
import { PART_FORMAT, type Part, type PublishedTable } from "../format/extract-state.ts";
import { finishParts } from "../write/finish-parts.ts";

/**
 * Rewrites parts of an older format with the same rows in the same order. Cursor, state and the bounds of parts are
 * kept. Returns the same table if no part is outdated.
 *
 * @throws `rows_lost`, `file_unreadable`, `disk_full`, `aborted`
 */
export async function upgradeParts(job: TableJob, table: PublishedTable): Promise<PublishedTable> {
  const outdated = table.parts.filter((part) => part.format !== PART_FORMAT);
  if (outdated.length === 0) return table;
  job.progress.phase("merging");
  const upgraded = new Map<Part, Part>();
  for (const part of outdated) {
    throwIfAborted(job.signal, "the extraction");
    upgraded.set(part, await upgradePart(job, table, part));
  }
  const parts = table.parts.map((part) => upgraded.get(part) ?? part);
  return { ...table, parts, sizeBytes: parts.reduce((sum, part) => sum + part.sizeBytes, 0) };
}

async function upgradePart(job: TableJob, table: PublishedTable, part: Part): Promise<Part> {
  const columns =
    table.schemas.find(({ version }) => version === part.schemaVersion)?.columns ?? table.columns;
  const relation = readParquet([join(job.run.directory, part.path)]);
  const staged = await writeSql(job, `SELECT ${columnList(columns)} FROM ${relation}`, part.origin, {
    ordered: true,
  });
  if (staged.rows !== part.rows) {
    throw new AgnesError("rows_lost", {
      table: table.name,
      yielded: part.rows,
      written: staged.rows,
      where: "the rewritten part",
    });
  }
  const unbounded = { key: undefined, cursor: undefined };
  const [finished] = await finishParts(job, [staged], part.schemaVersion, unbounded);
  const { path, sizeBytes, sha256, format } = finished!;
  return { ...part, path, sizeBytes, sha256, format };
}
