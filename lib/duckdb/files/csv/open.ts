import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { CsvDialect } from "../../../kit/mod.ts";
import type { CsvHead } from "./head.ts";
import type { ReadableCsv } from "./relation.ts";
import { rewrittenCsv } from "./rewrite.ts";

/** A CSV file that DuckDB can read; call `close` after the read. */
export interface OpenCsv extends ReadableCsv {
  /** Whether it is a copy, whose line numbers differ from those of the file, and whose records end with a line feed. */
  readonly isCopy: boolean;
  close(): Promise<void>;
}

/**
 * Makes a CSV file readable for DuckDB: the file itself, or a temporary copy in UTF-8 with uniform line ends.
 * @throws `file_unreadable` naming the line, `disk_full`, `file_failed`
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
  const { files, path, compression } = head.file;
  if (!head.needsCopy && options.copy !== true && options.isSequential !== true) {
    return {
      path,
      ...(compression === undefined ? {} : { compression }),
      isCopy: false,
      close: async () => {},
    };
  }
  const copy = join(options.directory ?? tmpdir(), `agnes-text-${process.pid}-${randomUUID()}.tmp`);
  const close = () => files.remove(copy).catch(() => {});
  try {
    await files.writeChunks(copy, rewrittenCsv(head, dialect, options.signal));
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
