import { isAgnesError, Mutex, type AgnesError, type Host } from "../base/mod.ts";
import { openDatabase, type Database, type DuckDBLimits } from "../duckdb/mod.ts";
import { checkCopy, type PublishedTable } from "../extract/mod.ts";

/** The database with which a pull checks and publishes tables. Opening it takes longer than either, so all share one. */
export class CopyDatabase implements AsyncDisposable {
  readonly #host: Host;
  readonly #limits: DuckDBLimits;
  readonly #publishing = new Mutex();
  readonly #checks = new Map<PublishedTable, Promise<AgnesError | null>>();
  #opened: Promise<Database> | null = null;

  constructor({ host, limits }: { readonly host: Host; readonly limits: DuckDBLimits }) {
    this.#host = host;
    this.#limits = limits;
  }

  /** Opens the database, the first time. */
  readonly open = (): Promise<Database> => {
    if (this.#opened === null) {
      this.#opened = openDatabase({ files: this.#host.files, limits: this.#limits });
      // It may be opened ahead of its first use, which then reports the error.
      this.#opened.catch(() => {});
    }
    return this.#opened;
  };

  /** Checks a table whose parts are all there, once. @returns why it cannot be published, or else null */
  check(directory: string, table: PublishedTable): Promise<AgnesError | null> {
    const known = this.#checks.get(table);
    if (known !== undefined) return known;
    const check = this.#check(directory, table);
    this.#checks.set(table, check);
    return check;
  }

  /** Publishes one source after another, because each attaches its file under the same name. */
  publish(work: () => Promise<void>): Promise<void> {
    return this.#publishing.run(work);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#publishing.idle();
    await (await this.#opened?.catch(() => null))?.close();
  }

  async #check(directory: string, table: PublishedTable): Promise<AgnesError | null> {
    try {
      await checkCopy(this.#host, await this.open(), directory, table);
      return null;
    } catch (error) {
      if (!isAgnesError(error)) throw error;
      return error;
    }
  }
}
