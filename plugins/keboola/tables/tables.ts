import type { AgnesError, Log } from "agnes/kit";
import * as v from "valibot";

import { statusOf, type StorageApi } from "../api/api.ts";
import { BranchCheck } from "../api/branch.ts";
import { errors } from "../errors.ts";
import type { Settings } from "../options.ts";
import { bucketSchema, tableSchema, type Bucket, type StorageTable } from "../api/schemas.ts";
import { SharedCall } from "../api/shared-call.ts";
import { bucketOf, isSelected } from "./table-id.ts";
import type { TokenCheck } from "../api/token.ts";

/** All that a list can say of a table; for aliases also of its source, which may be in another project. */
const INCLUDE = "columns,metadata,columnMetadata,sourceMetadata,sourceColumnMetadata,buckets";
const BUCKETS_AT_ONCE = 4;

/** A table and the branch that holds it; no branch: the default branch. */
export interface FoundTable {
  readonly table: StorageTable;
  readonly branch: string | undefined;
}

/** A table whose description is not as documented. */
export interface UnreadableTable {
  readonly id: string;
  readonly problem: AgnesError;
}

/** The tables of a project. */
export class StorageTables {
  /** The branch of the options. */
  readonly branch: BranchCheck;
  readonly #api: StorageApi;
  readonly #token: TokenCheck;
  readonly #settings: Settings;
  readonly #log: Log;
  readonly #buckets = new Map<string, SharedCall<Bucket>>();

  constructor(api: StorageApi, token: TokenCheck, settings: Settings, log: Log) {
    this.#api = api;
    this.#token = token;
    this.#settings = settings;
    this.#log = log;
    this.branch = new BranchCheck(api, settings);
  }

  /** Lists the tables of the selected buckets, with one or two calls for all of them if the token can list them. */
  async list(signal: AbortSignal): Promise<readonly (FoundTable | UnreadableTable)[]> {
    await this.#token.get(signal);
    await this.branch.name(signal);
    const { branch } = this.#settings;
    const lists = await Promise.all(
      (branch === undefined ? [undefined] : [branch, undefined]).map((one) => this.#listOf(one, signal)),
    );
    const found = new Map<string, FoundTable | UnreadableTable>();
    for (const table of lists.flat()) {
      const id = "table" in table ? table.table.id : table.id;
      // A table of the branch comes before that of the default branch.
      if (!found.has(id) && isSelected(bucketOf(id), this.#settings.buckets)) found.set(id, table);
    }
    return [...found.values()];
  }

  /**
   * Returns a table with its native types, from the branch, otherwise from the default branch.
   * @throws `keboola/table_missing`
   */
  async get(id: string, signal: AbortSignal): Promise<FoundTable> {
    const { branch } = this.#settings;
    const found = await this.getOrNull(id, signal);
    if (found !== null) return found;
    throw errors.table_missing({ table: id, ...(branch === undefined ? {} : { branch }) });
  }

  /** As `get`, but null for a table that does not exist. */
  async getOrNull(id: string, signal: AbortSignal): Promise<FoundTable | null> {
    const { branch } = this.#settings;
    const own = await this.getFrom(id, branch, signal);
    if (own !== null) return { table: own, branch };
    if (branch === undefined) return null;
    // A branch that does not exist has no tables either, and the default branch would be read without an error.
    await this.branch.name(signal);
    const table = await this.getFrom(id, undefined, signal);
    return table === null ? null : { table, branch: undefined };
  }

  /** Returns a table of one branch; null if the branch does not have it. */
  async getFrom(id: string, branch: string | undefined, signal: AbortSignal): Promise<StorageTable | null> {
    const what = `table ${id}`;
    try {
      const path = `${pathOf(branch)}/tables/${encodeURIComponent(id)}`;
      return await this.#api.call(path, { schema: tableSchema, what, signal });
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
      return null;
    }
  }

  /** Returns the bucket of a table with all its properties; those in a table lack some. */
  async bucket(id: string, branch: string | undefined, signal: AbortSignal): Promise<Bucket> {
    const key = `${branch ?? ""}/${id}`;
    let asked = this.#buckets.get(key);
    if (asked === undefined) {
      const path = `${pathOf(branch)}/buckets/${encodeURIComponent(id)}`;
      const request = { schema: bucketSchema, what: `bucket ${id}` };
      asked = new SharedCall((stop) => this.#api.call(path, { ...request, signal: stop }));
      this.#buckets.set(key, asked);
    }
    return asked.get(signal);
  }

  async #listOf(
    branch: string | undefined,
    signal: AbortSignal,
  ): Promise<readonly (FoundTable | UnreadableTable)[]> {
    const [buckets, tables] = await Promise.all([
      this.#bucketsOf(branch, signal),
      this.#rawTables(branch, signal),
    ]);
    return tables.map((raw) => this.#parsed(raw, branch, buckets));
  }

  async #rawTables(branch: string | undefined, signal: AbortSignal): Promise<readonly unknown[]> {
    const schema = v.array(v.unknown());
    const query = { include: INCLUDE };
    try {
      const path = `${pathOf(branch)}/tables`;
      return await this.#api.call(path, {
        schema,
        query,
        what: "the tables of the project",
        advice: listAdvice(branch),
        signal,
      });
    } catch (error) {
      if (statusOf(error) !== 403) throw error;
      this.#log.debug("the token cannot list all tables; listing those of each of its buckets");
      return this.#tablesByBucket(branch, error, signal);
    }
  }

  /** Lists the tables of each bucket of the token. A bucket that it can no longer read is left out. */
  async #tablesByBucket(
    branch: string | undefined,
    rejection: unknown,
    signal: AbortSignal,
  ): Promise<readonly unknown[]> {
    const { bucketPermissions } = await this.#token.get(signal);
    const ids = [...(bucketPermissions?.keys() ?? [])].filter((id) => isSelected(id, this.#settings.buckets));
    const queue = ids.values();
    const found = new Map<string, readonly unknown[]>();
    const work = async () => {
      for (const id of queue) {
        const path = `${pathOf(branch)}/buckets/${encodeURIComponent(id)}/tables`;
        try {
          const schema = v.array(v.unknown());
          const query = { include: INCLUDE.replace(",buckets", "") };
          found.set(id, await this.#api.call(path, { schema, query, what: `bucket ${id}`, signal }));
        } catch (error) {
          if (statusOf(error) !== 403 && statusOf(error) !== 404) throw error;
          // A branch has only the buckets that were written there.
          if (branch !== undefined && statusOf(error) === 404) found.set(id, []);
          else this.#log.warn(`bucket ${id} of the token cannot be listed`, { error });
        }
      }
    };
    await Promise.all(Array.from({ length: BUCKETS_AT_ONCE }, work));
    // Nothing at all is no empty project.
    if (found.size === 0) throw rejection;
    return ids.flatMap((id) => found.get(id) ?? []);
  }

  /** The buckets by id; empty if the token may not list them. */
  async #bucketsOf(branch: string | undefined, signal: AbortSignal): Promise<ReadonlyMap<string, Bucket>> {
    try {
      const schema = v.array(bucketSchema);
      const list = await this.#api.call(`${pathOf(branch)}/buckets`, {
        schema,
        what: "the buckets of the project",
        advice: listAdvice(branch),
        signal,
      });
      return new Map(list.map((bucket) => [bucket.id, bucket]));
    } catch (error) {
      if (statusOf(error) !== 403) throw error;
      return new Map();
    }
  }

  #parsed(
    raw: unknown,
    branch: string | undefined,
    buckets: ReadonlyMap<string, Bucket>,
  ): FoundTable | UnreadableTable {
    const result = v.safeParse(tableSchema, raw);
    if (result.success) {
      const table = result.output;
      const bucket = { ...table.bucket, ...buckets.get(bucketOf(table.id)) };
      return { table: "id" in bucket ? { ...table, bucket: bucket as Bucket } : table, branch };
    }
    const { id } = (raw ?? {}) as { readonly id?: unknown };
    const [issue] = result.issues;
    const reason = `its description has ${v.getDotPath(issue) ?? "a value"} that is not as documented`;
    if (typeof id !== "string" || id === "") throw errors.table_invalid({ table: "without an id", reason });
    return { id, problem: errors.table_invalid({ table: id, reason }) };
  }
}

/** What to do if the stack rejects a list. */
function listAdvice(branch: string | undefined): string {
  if (branch === undefined) return "Check `url` in the options of the source.";
  return `Correct \`branch\` in the options of the source, if the project has no branch ${branch}.`;
}

/** The path of a branch. */
export function pathOf(branch: string | undefined): string {
  return branch === undefined ? "" : `/branch/${encodeURIComponent(branch)}`;
}
