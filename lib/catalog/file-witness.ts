import {
  AgnesError,
  isAgnesError,
  makeDirectoryDurably,
  messageOf,
  publishFile,
  type Host,
  type Log,
} from "../base/mod.ts";
import { entryNumbers, type LogPaths } from "./log-paths.ts";

/** Since format 2 the directory of the log is created before the schema, since format 3 also the directory `head`. */
export const FORMAT = 3;
/** In this format the first entry creates the directory `head`. */
const FORMAT_OF_MARKS = 2;

/** A catalog of an earlier format. */
export interface EarlierCatalog {
  readonly catalog: string;
  readonly paths: LogPaths;
  readonly host: Pick<Host, "files" | "random">;
  readonly schemaPath: string;
  /** The content of `schema.json`. */
  readonly schema: Readonly<Record<string, unknown>>;
  /** The newest entry of the log, which is intact. */
  readonly head: number;
  readonly log: Log;
}

/**
 * Upgrades a catalog of an earlier format: creates the directories whose absence indicates a loss, then writes the
 * format that requires them. A catalog that cannot be written to is unchanged.
 *
 * @returns whether the catalog is upgraded
 * @throws `catalog_corrupt` if the directory `head` is already lost
 */
export async function addWitness(earlier: EarlierCatalog): Promise<boolean> {
  const { catalog, paths, host, schema, schemaPath, head, log } = earlier;
  const { files } = host;
  // The first entry exists before the directory.
  if (schema["format"] === FORMAT_OF_MARKS && head > 1 && (await files.stat(paths.head)) === null) {
    const reason = "it is missing, so the end of the log is unknown";
    throw new AgnesError("catalog_corrupt", { catalog, place: paths.head, reason });
  }
  try {
    for (const path of [paths.log, paths.head]) await makeDirectoryDurably(files, path);
    const marks = entryNumbers(await files.list(paths.head));
    // An entry in a segment has no file of its own.
    if (head > 0 && marks.length === 0 && (await files.stat(paths.entry(head))) !== null) {
      await files.link(paths.entry(head), paths.mark(head));
    }
    for (const path of [paths.head, paths.root]) await files.sync(path);
    await publishFile(host, schemaPath, `${JSON.stringify({ ...schema, format: FORMAT })}\n`);
    return true;
  } catch (error) {
    if (!isAgnesError(error, "file_failed") && !isAgnesError(error, "disk_full")) throw error;
    log.warn("a catalog of an earlier version could not be upgraded to detect a lost end of its log", {
      catalog,
      reason: messageOf(error),
    });
    return false;
  }
}
