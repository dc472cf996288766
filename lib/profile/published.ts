import { analyticsPath, readAnalyticsState, type AnalyticsTable } from "../analytics/mod.ts";
import { AgnesError, isAgnesError, messageOf, type Host } from "../base/mod.ts";
import { openDatabase } from "../duckdb/mod.ts";
import { digest } from "./store.ts";

/** The published tables, read again when `analytics.duckdb` changes. */
export class PublishedTables {
  readonly #host: Pick<Host, "files">;
  readonly #path: string;
  #read: { readonly key: string; readonly tables: Promise<readonly AnalyticsTable[]> } | null = null;

  constructor(host: Pick<Host, "files">, dataDirectory: string) {
    this.#host = host;
    this.#path = analyticsPath(dataDirectory);
  }

  /** Lists the tables; none if nothing is published. @throws `analytics_unreadable` */
  async list(): Promise<readonly AnalyticsTable[]> {
    const { files } = this.#host;
    const [stat, identity] = await Promise.all([files.stat(this.#path), files.identify(this.#path)]);
    if (stat === null) return [];
    const key = JSON.stringify([identity?.id, stat.sizeBytes, stat.modifiedAtMs]);
    if (this.#read?.key === key) return this.#read.tables;
    const read = { key, tables: this.#tables() };
    this.#read = read;
    read.tables.catch(() => {
      if (this.#read === read) this.#read = null;
    });
    return read.tables;
  }

  async #tables(): Promise<readonly AnalyticsTable[]> {
    const path = this.#path;
    try {
      await using database = await openDatabase({
        files: this.#host.files,
        path,
        readOnly: true,
        limits: { memoryMb: 256, threads: 1 },
        settings: { enable_external_access: "false" },
      });
      await using connection = await database.connect();
      const [row] = await connection.rows<{ name: string }>("SELECT current_database() AS name");
      return (await readAnalyticsState(connection, row!.name))?.tables ?? [];
    } catch (error) {
      if (isAgnesError(error, "disk_full")) throw error;
      throw new AgnesError("analytics_unreadable", { path, reason: messageOf(error) }, { cause: error });
    }
  }
}

/**
 * Identifies the content of a table. Views of Agnes list all parts, whose names depend on their content. What is known of the
 * extract of another program is when it was extracted.
 */
export function contentOf(table: AnalyticsTable): string {
  const { definition, generation, extractedAt, rows, sizeBytes, columns } = table;
  return digest(
    JSON.stringify(generation === null ? [definition, extractedAt, rows, sizeBytes, columns] : [definition]),
  );
}
