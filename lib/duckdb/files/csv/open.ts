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

/** A CSV file that DuckDB can read; `close` it when it is read. */
export interface OpenCsv extends ReadableCsv {
  /** Whether it is a copy, whose lines are not those of the file. */
  readonly isCopy: boolean;
  close(): Promise<void>;
}

/**
 * Makes a CSV file readable for DuckDB: as it is, or as a temporary copy in UTF-8 with even line ends.
 * @throws `file_unreadable`, naming the line
 */
export async function openCsv(
  head: CsvHead,
  dialect: CsvDialect,
  options: {
    readonly directory?: string | undefined;
    readonly signal?: AbortSignal | undefined;
    /** Whether it must be a copy, and one that is read carefully. */
    readonly isCareful?: boolean;
    /** Whether it must be a copy: empty lines of a file of one column would be rows. */
    readonly copy?: boolean;
  } = {},
): Promise<OpenCsv> {
  const { path, compression } = head.file;
  if (!head.needsCopy && options.copy !== true && options.isCareful !== true) {
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
  return { path: copy, compression: "none", isCareful: options.isCareful === true, isCopy: true, close };
}
