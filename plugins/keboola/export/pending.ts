import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import * as v from "valibot";

const NAME = "export.json";

const pendingSchema = v.strictObject({
  version: v.literal(1),
  /** What was requested, and of which rows. */
  fingerprint: v.string(),
  job: v.strictObject({ id: v.string(), url: v.string() }),
  /** By the clock of the stack. */
  startedAt: v.pipe(v.string(), v.isoTimestamp()),
  /** By the clock of this machine, which may differ. */
  rememberedAt: v.optional(v.pipe(v.string(), v.isoTimestamp())),
  /** The file of the export, once its job is done. */
  file: v.optional(v.string()),
});

/** An export that was started and whose files are not all read. */
export type PendingExport = Omit<v.InferOutput<typeof pendingSchema>, "version">;

/**
 * Remembers the running export of a table in the folder of its read, so that the next read continues it instead of starting
 * another, and the files that are already downloaded are those of the same export.
 */
export class PendingFile {
  readonly #directory: string | undefined;

  constructor(directory: string | undefined) {
    this.#directory = directory;
  }

  /** Returns the export of an earlier read; null if there is none. */
  async read(): Promise<PendingExport | null> {
    if (this.#directory === undefined) return null;
    const text = await readFile(join(this.#directory, NAME), "utf8").catch(missing);
    if (text === null) return null;
    try {
      const result = v.safeParse(pendingSchema, JSON.parse(text));
      return result.success ? result.output : null;
    } catch (error) {
      // The process was killed while it wrote the file.
      if (error instanceof SyntaxError) return null;
      throw error;
    }
  }

  async write(pending: PendingExport): Promise<void> {
    if (this.#directory === undefined) return;
    await mkdir(this.#directory, { recursive: true });
    await writeFile(join(this.#directory, NAME), JSON.stringify({ version: 1, ...pending }));
  }

  /** Forgets the export and its files. */
  async clear(): Promise<void> {
    if (this.#directory !== undefined) await rm(this.#directory, { recursive: true, force: true });
  }
}

function missing(error: unknown): null {
  if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
  throw error;
}
