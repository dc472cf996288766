import type { ConnectContext, Http, TableInfo, TableMetadata } from "agnes/kit";

import { AddressCheck } from "./api/address.ts";
import { StorageApi } from "./api/api.ts";
import { describeTable, type DescribeContext } from "./tables/discover.ts";
import { Exports } from "./export/export.ts";
import { metadataOf } from "./tables/metadata.ts";
import type { KeboolaOptions, keboolaSecrets, Settings } from "./options.ts";
import { Semaphore } from "./api/semaphore.ts";
import { settingsOf } from "./settings.ts";
import { StorageTables } from "./tables/tables.ts";
import { jobsAtOnce, TokenCheck } from "./api/token.ts";

/** Open downloads of all tables of a source. */
const DOWNLOADS_MAX = 8;
/** More tables are described by the list of all tables. */
const DETAILS_MAX = 10;
const DETAILS_AT_ONCE = 4;
/** Tables that are described before the next turn of the event loop. */
const PAGE = 200;

/** One project, or the part of it that the token can read. */
export class Source {
  readonly api: StorageApi;
  readonly settings: Settings;
  readonly token: TokenCheck;
  readonly tables: StorageTables;
  readonly exports: Exports;
  readonly downloads = new Semaphore(DOWNLOADS_MAX);
  /** What the clouds that hold files are asked with. */
  readonly cloud: { readonly http: Http; readonly address: AddressCheck; readonly now: () => Date };
  #jobs: Semaphore | undefined;

  constructor(context: ConnectContext<KeboolaOptions, typeof keboolaSecrets>) {
    const { http, now, log, options } = context;
    this.settings = settingsOf(options);
    const address = new AddressCheck(this.settings);
    const api = new StorageApi(context, this.settings, address);
    this.api = api;
    this.token = new TokenCheck(api, this.settings);
    this.tables = new StorageTables(api, this.token, this.settings, log);
    this.exports = new Exports(api, now, (signal) => this.jobLimit(signal));
    // The clouds redirect no signed address, and the addresses of other hosts would not be checked.
    this.cloud = { http: http.with({ followRedirects: false }), address, now };
  }

  async *discover(signal: AbortSignal): AsyncGenerator<readonly TableInfo[]> {
    const found = await this.tables.list(signal);
    const context = await this.describeContext(signal);
    for (let at = 0; at < found.length; at += PAGE) {
      signal.throwIfAborted();
      yield found.slice(at, at + PAGE).map((one) => describeTable(one, context));
    }
  }

  /** Describes one table with its native types, which a list may lack. */
  async redescribe({ name }: TableInfo, signal: AbortSignal): Promise<TableInfo> {
    const found = await this.tables.get(name, signal);
    const info = describeTable(found, await this.describeContext(signal));
    if (info.problem !== undefined) throw info.problem;
    return info;
  }

  async metadata(tables: readonly TableInfo[], signal: AbortSignal): Promise<readonly TableMetadata[]> {
    const wanted = new Set(tables.map(({ name }) => name));
    if (wanted.size > DETAILS_MAX) {
      const listed = await this.tables.list(signal);
      return listed.flatMap((one) =>
        "table" in one && wanted.has(one.table.id) ? [metadataOf(one.table)] : [],
      );
    }
    await this.token.get(signal);
    const queue = [...wanted].values();
    const found: TableMetadata[] = [];
    const work = async () => {
      for (const name of queue) {
        const one = await this.tables.getOrNull(name, signal);
        if (one !== null) found.push(metadataOf(one.table));
      }
    };
    await Promise.all(Array.from({ length: DETAILS_AT_ONCE }, work));
    return found;
  }

  /** What descriptions of tables depend on. */
  async describeContext(signal: AbortSignal): Promise<DescribeContext> {
    const { owner } = await this.token.get(signal);
    const { settings } = this;
    return { url: settings.url, projectId: owner.id, settings };
  }

  /** The limit of the jobs of the project, shared by all tables. */
  async jobLimit(signal: AbortSignal): Promise<Semaphore> {
    const token = await this.token.get(signal);
    this.#jobs ??= new Semaphore(jobsAtOnce(token));
    return this.#jobs;
  }
}
