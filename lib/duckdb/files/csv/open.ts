import { rm } from "node:fs/promises";
import { createWriteStream } from "node:fs";
import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import type { CsvDialect } from "../../../kit/mod.ts";
import type { CsvHead } from "./head.ts";
import type { ReadableCsv } from "./relation.ts";
import { rewrittenCsv } from "./rewrite.ts";

/** A CSV file that DuckDB can read; call `close` after the read. */
export interface OpenCsv extends ReadableCsv {
  /** Whether it is a copy, whose line numbers differ from those of the file. */
  readonly isCopy: boolean;
  close(): Promise<void>;
}

/**
 * Makes a CSV file readable for DuckDB: the file itself, or a temporary copy in UTF-8 with uniform line ends.
 * @throws `file_unreadable` naming the line
 */
export async function openCsv(
  head: CsvHead,
  dialect: CsvDialect,
  options: {
    readonly directory?: string | undefined;
    readonly signal?: AbortSignal | undefined;
    /** Whether to make a copy and read it in one thread. */
    readonly isSequential?: boolean;
    /** Whether to make a copy, because empty lines of a file with one column would become rows. */
    readonly copy?: boolean;
  } = {},
): Promise<OpenCsv> {
  const { path, compression } = head.file;
  if (!head.needsCopy && options.copy !== true && options.isSequential !== true) {
    return {
      path,
      ...(compression === undefined ? {} : { compression }),
      isCopy: false,
      close: async () => {},
    };
  }
  const copy = join(options.directory ?? tmpdir(), `agnes-text-${process.pid}-${randomUUID()}.tmp`);
  const close = () => rm(copy, { force: true });
  try {
    const text = Readable.from(rewrittenCsv(head, dialect, options.signal));
    await pipeline(
      text,
      createWriteStream(copy, { mode: 0o600 }),
      options.signal === undefined ? {} : { signal: options.signal },
    );
  } catch (error) {
    await close();
    throw error;
  }
  return {
    path: copy,
    compression: "none",
    isSequential: options.isSequential === true,
    isCopy: true,
    close,
  };
}
