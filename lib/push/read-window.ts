import { join } from "node:path";

import * as v from "valibot";

import { publishFile, type Host } from "../base/mod.ts";
import { newestSpooled } from "./spool.ts";

const windowFile = v.object({
  /** The tables that are or were read, by the source's names; null: unknown, so all. */
  tables: v.nullable(v.array(v.string())),
  /** The newest file in the spool when the last read began; empty: none. */
  after: v.string(),
  /** The newest file in the spool when the read ended; null: it did not end. */
  until: v.nullable(v.string()),
  /** The tables to read in full. */
  again: v.array(v.string()),
});

/**
 * The last read of the tables of a source, by the names of spool files. An event that arrived during a read may be older or
 * newer than the rows of the read.
 */
export type ReadWindow = v.InferOutput<typeof windowFile>;

const NONE: ReadWindow = { tables: [], after: "", until: "", again: [] };
/** What is known if the file cannot be read: all events may have arrived during a read. */
const UNKNOWN: ReadWindow = { tables: null, after: "", until: null, again: [] };

const pathOf = (directory: string): string => join(directory, "last-read.json");

/** Returns the last read, and the tables to read in full. @param directory the folder of the extract */
export async function readWindow(host: Pick<Host, "files">, directory: string): Promise<ReadWindow> {
  const bytes = await host.files.read(pathOf(directory));
  if (bytes === null) return NONE;
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), windowFile), new TextDecoder().decode(bytes));
  return parsed.success ? parsed.output : UNKNOWN;
}

/** Records that tables are read from now on. */
export async function beginRead(host: Host, directory: string, tables: readonly string[]): Promise<void> {
  const { again } = await readWindow(host, directory);
  const after = (await newestSpooled(host, directory)) ?? "";
  await write(host, directory, { tables: [...tables], after, until: null, again });
}

/** Records that the read has ended. @param whole the tables that were read in full */
export async function endRead(host: Host, directory: string, whole: readonly string[]): Promise<void> {
  const window = await readWindow(host, directory);
  const until = (await newestSpooled(host, directory)) ?? "";
  const again = window.again.filter((table) => !whole.includes(table));
  if (until <= window.after && again.length === 0) return host.files.remove(pathOf(directory));
  await write(host, directory, { ...window, until, again });
}

/** Records that tables have to be read in full, because a change may have removed rows that a read had created again. */
export async function requestRead(host: Host, directory: string, tables: readonly string[]): Promise<void> {
  const window = await readWindow(host, directory);
  const again = [...new Set([...window.again, ...tables])];
  if (again.length > window.again.length) await write(host, directory, { ...window, again });
}

/** Whether a spool file arrived during the read. */
export function isInWindow({ after, until }: ReadWindow, name: string): boolean {
  return name > after && (until === null || name <= until);
}

function write(host: Host, directory: string, window: ReadWindow): Promise<void> {
  return publishFile(host, pathOf(directory), `${JSON.stringify(window)}\n`);
}
