import { AgnesError, isAgnesError } from "../../base/mod.ts";
import type { Part } from "../../extract/mod.ts";
import type { ManifestTable } from "./manifest-table.ts";
import type { PublishedExtracts } from "./published-extracts.ts";

/** The part that a request names. */
export interface PartRequest {
  /** A path of the manifest. Default: the only part of the table. */
  readonly part: string | undefined;
  /** The generation of the manifest. Default: any. */
  readonly generation: number | undefined;
}

/** A part of a table, or a path that no kept generation lists. */
export interface FoundPart {
  readonly path: string;
  /** Null: no kept generation lists it. */
  readonly listed: Pick<Part, "sizeBytes" | "sha256"> | null;
  /** Whether the current generation lists it. */
  readonly isCurrent: boolean;
}

/** @throws `table_remote`, `table_server_only`, `table_foreign`, `table_not_published`, `part_unreadable` */
export function checkDownloadable({ id, unavailable }: ManifestTable): void {
  if (unavailable === "remote") throw new AgnesError("table_remote", { table: id });
  if (unavailable === "server_only") throw new AgnesError("table_server_only", { table: id });
  if (unavailable === "foreign") throw new AgnesError("table_foreign", { table: id });
  if (unavailable === "not_published") throw new AgnesError("table_not_published", { table: id });
  if (unavailable === "unreadable")
    throw new AgnesError("part_unreadable", {
      table: id,
      reason: "the extract of its source cannot be read",
    });
}

/**
 * Finds the part of a request. A part that no kept generation lists any more is in its folder for the grace period, so its path
 * alone is returned. No path leads to a part of another table.
 * @throws `part_missing`, `part_gone`, `part_unreadable`
 */
export async function findPart(
  extracts: PublishedExtracts,
  table: ManifestTable,
  { part, generation }: PartRequest,
): Promise<FoundPart> {
  const isCurrent = generation === undefined || generation === table.generation;
  const parts = isCurrent ? table.parts : await earlierParts(extracts, table, generation);
  if (part === undefined) {
    if (parts === null) throw new AgnesError("part_gone", { table: table.id });
    const [only] = parts;
    if (only === undefined || parts.length > 1)
      throw new AgnesError("part_missing", { table: table.id, parts: parts.length });
    return { path: only.path, listed: only, isCurrent };
  }
  if (!isPartOf(table, part)) throw new AgnesError("part_gone", { table: table.id });
  const named = parts?.find(({ path }) => path === part);
  if (named !== undefined) return { path: part, listed: named, isCurrent };
  // A kept generation lists all its parts.
  if (generation !== undefined && parts !== null) throw new AgnesError("part_gone", { table: table.id });
  const current = table.parts.find(({ path }) => path === part);
  if (current !== undefined) return { path: part, listed: current, isCurrent: true };
  for (const number of await extracts.kept(table.source)) {
    const earlier = await earlierParts(extracts, table, number).catch((error: unknown) => {
      // The file itself decides.
      if (!isAgnesError(error, "part_unreadable")) throw error;
      return null;
    });
    const found = earlier?.find(({ path }) => path === part);
    if (found !== undefined) return { path: part, listed: found, isCurrent: false };
  }
  return { path: part, listed: null, isCurrent: false };
}

async function earlierParts(
  extracts: PublishedExtracts,
  table: ManifestTable,
  generation: number,
): Promise<readonly Part[] | null> {
  try {
    const parts = await extracts.earlier(table.source, generation);
    return parts === null ? null : (parts.get(table.name.toLowerCase()) ?? []);
  } catch (error) {
    if (!isAgnesError(error)) throw error;
    const reason = "the generation cannot be read";
    throw new AgnesError("part_unreadable", { table: table.id, reason }, { cause: error });
  }
}

/** Whether a path is in the folder of the parts of a table. The names of parts are hashes of their content. */
function isPartOf({ name }: ManifestTable, path: string): boolean {
  const [data, folder, file, ...others] = path.split("/");
  return (
    data === "data" &&
    folder === name.toLowerCase() &&
    file !== undefined &&
    /^[A-Za-z0-9_][A-Za-z0-9_.=-]*\.parquet$/.test(file) &&
    others.length === 0
  );
}
