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

/** Since 2 the directory of the log is made before the schema, since 3 that of the second name too. */
export const FORMAT = 3;
/** The second name came with this format, made by the first entry. */
const FORMAT_OF_MARKS = 2;

/** A catalog of an earlier format. */
export interface EarlierCatalog {
  readonly catalog: string;
  readonly paths: LogPaths;
  readonly host: Pick<Host, "files" | "random">;
  /** What is in `schema.json`. */
  readonly schemaPath: string;
  readonly schema: Readonly<Record<string, unknown>>;
  /** The newest entry there is, of a log that is whole. */
  readonly head: number;
  readonly log: Log;
}

/**
 * Gives a catalog of an earlier format the directories by whose absence a loss is noticed, and then the format that
 * promises them. A catalog that cannot be written to stays as it is.
 *
 * @returns whether it has them now
 * @throws `catalog_corrupt` when the directory of the second name is lost already
 */
export async function addWitness(earlier: EarlierCatalog): Promise<boolean> {
  const { catalog, paths, host, schema, schemaPath, head, log } = earlier;
  const { files } = host;
  // The first entry is there before the directory is.
  if (schema["format"] === FORMAT_OF_MARKS && head > 1 && (await files.stat(paths.head)) === null) {
    const reason = "it is missing, so nothing shows how far the log reached";
    throw new AgnesError("catalog_corrupt", { catalog, place: paths.head, reason });
  }
  try {
    for (const path of [paths.log, paths.head]) await makeDirectoryDurably(files, path);
    const marks = entryNumbers(await files.list(paths.head));
    // An entry in a segment has no name of its own.
    if (head > 0 && marks.length === 0 && (await files.stat(paths.entry(head))) !== null) {
      await files.link(paths.entry(head), paths.mark(head));
    }
    for (const path of [paths.head, paths.root]) await files.sync(path);
    await publishFile(host, schemaPath, `${JSON.stringify({ ...schema, format: FORMAT })}\n`);
    return true;
  } catch (error) {
    if (!isAgnesError(error, "file_failed") && !isAgnesError(error, "disk_full")) throw error;
    log.warn("a catalog of an earlier version could not be given what shows how far its log reaches", {
      catalog,
      reason: messageOf(error),
    });
    return false;
  }
}
