import {
  AgnesError,
  table as tableInfo,
  type ConnectContext,
  type Health,
  type TableInfo,
  type TableMetadata,
} from "agnes/kit";

import { BigQueryApi } from "./api.ts";
import { remoteOf } from "./attach.ts";
import { Datasets } from "./datasets.ts";
import { describeTable, metadataOf } from "./describe.ts";
import { errors } from "./errors.ts";
import { Jobs } from "./jobs.ts";
import { tableNameOf, tablePathOf, type ListedTable, type TablePath } from "./names.ts";
import type { BigQueryOptions, bigquerySecrets } from "./options.ts";
import { settingsOf, type Settings } from "./settings.ts";
import { describeShards, groupShards, shardMetadata, shardPrefixOf, type ShardGroup } from "./shards.ts";
import { SignIn } from "./sign-in.ts";
import { StorageReads } from "./storage/reads.ts";

/** Tables that are described at once. */
const PAGE = 100;

/** One project, as far as the account can read it. */
export class Source {
  readonly settings: Settings;
  readonly datasets: Datasets;
  readonly jobs: Jobs;
  readonly storage: StorageReads;

  constructor(context: ConnectContext<BigQueryOptions, typeof bigquerySecrets>) {
    this.settings = settingsOf(context.options);
    const signIn = new SignIn(context, this.settings);
    const api = new BigQueryApi(context, this.settings, signIn);
    this.datasets = new Datasets(api, this.settings);
    this.jobs = new Jobs(api, this.settings, this.datasets, context);
    const { settings } = this;
    const bearer = settings.storageEndpoint?.startsWith("https:") === true ? signIn.bearer : undefined;
    this.storage = new StorageReads({ services: context, settings, bearer, originOf: () => signIn.origin });
  }

  async *discover(signal: AbortSignal): AsyncGenerator<readonly TableInfo[]> {
    const { project } = this.settings;
    const listed = new Set<string>();
    for (const dataset of await this.datasets.list(signal)) {
      const list = await this.#tablesOf(dataset, signal);
      if (list instanceof AgnesError) {
        yield [tableInfo(`${dataset}.*`, {}, { problem: list })];
        continue;
      }
      const { tables, groups } = groupShards(list);
      for (const path of [...tables, ...groups.map((group) => group.path)])
        listed.add(tableNameOf(path, project));
      for (let at = 0; at < tables.length; at += PAGE) {
        signal.throwIfAborted();
        const page = await Promise.all(
          tables.slice(at, at + PAGE).map((path) => this.#describe(path, signal)),
        );
        yield page.filter((info) => info !== null);
      }
      for (const group of groups) {
        signal.throwIfAborted();
        const info = await this.#described(group.path, () => this.#describeGroup(group, signal));
        if (info !== null) yield [info];
      }
    }
    yield* this.#furtherTables(listed, signal);
  }

  /** Lists a dataset. One that is not accessible is an error, which does not hide the other datasets. */
  async #tablesOf(dataset: string, signal: AbortSignal): Promise<readonly ListedTable[] | AgnesError> {
    try {
      return await this.datasets.tables({ project: this.settings.project, dataset }, signal);
    } catch (error) {
      if (error instanceof AgnesError && error.code === "bigquery/access_denied") return error;
      throw error;
    }
  }

  /** The tables of the options that are not listed yet. */
  async *#furtherTables(
    listed: ReadonlySet<string>,
    signal: AbortSignal,
  ): AsyncGenerator<readonly TableInfo[]> {
    const { project, tables = [] } = this.settings;
    const paths = [...new Set(tables)]
      .map((name) => tablePathOf(name, project)!)
      .filter((path) => !listed.has(tableNameOf(path, project)));
    for (const path of paths) {
      signal.throwIfAborted();
      const isGroup = shardPrefixOf(path) !== null;
      const found = isGroup
        ? await this.#described(path, async () => {
            const shards = await this.datasets.shards(path, signal);
            return shards.length === 0 ? null : describeShards(path, shards, project);
          })
        : await this.#describe(path, signal);
      const table = tableNameOf(path, project);
      const problem = errors.table_missing({ table, project: path.project });
      yield [found ?? tableInfo(table, {}, { problem })];
    }
  }

  async #describeGroup({ path, shards }: ShardGroup, signal: AbortSignal): Promise<TableInfo | null> {
    const found = await this.datasets.described(shards, signal);
    return found.length === 0 ? null : describeShards(path, found, this.settings.project);
  }

  /** Describes a table of a list; null if it was deleted meanwhile. One that is not accessible has a problem. */
  async #describe(path: TablePath, signal: AbortSignal): Promise<TableInfo | null> {
    const { project } = this.settings;
    return this.#described(path, async () => {
      const found = await this.datasets.get(path, signal);
      return found === null ? null : { ...describeTable(found, project), ...remoteOf(found, this.settings) };
    });
  }

  async #described(path: TablePath, describe: () => Promise<TableInfo | null>): Promise<TableInfo | null> {
    const { project } = this.settings;
    try {
      return await describe();
    } catch (error) {
      const isOne = error instanceof AgnesError && TABLE_PROBLEMS.has(error.code);
      if (!isOne) throw error;
      return tableInfo(tableNameOf(path, project), {}, { problem: error });
    }
  }

  async metadata(tables: readonly TableInfo[], signal: AbortSignal): Promise<readonly TableMetadata[]> {
    const found: TableMetadata[] = [];
    for (let at = 0; at < tables.length; at += PAGE) {
      const page = tables.slice(at, at + PAGE).map((info) => this.#metadataOf(info, signal));
      found.push(...(await Promise.all(page)).filter((one) => one !== null));
    }
    return found;
  }

  /** One request for each table, which is free; INFORMATION_SCHEMA would bill 10 MiB for each dataset. */
  async #metadataOf(info: TableInfo, signal: AbortSignal): Promise<TableMetadata | null> {
    const { name } = info;
    const path = tablePathOf(info.remotePath?.join(".") ?? name, this.settings.project);
    if (path === null) return null;
    if (shardPrefixOf(path) !== null) {
      const shards = await this.datasets.shards(path, signal);
      return shards.length === 0 ? null : shardMetadata(name, shards);
    }
    const table = await this.datasets.get(path, signal);
    return table === null ? null : metadataOf(table, name);
  }

  /** Checks that the account can list the project and run queries. Both are free. */
  async health(signal: AbortSignal): Promise<Health> {
    const { project, billingProject } = this.settings;
    const { length } = await this.datasets.list(signal);
    const location = this.settings.location;
    await this.jobs.dryRun({ sql: "SELECT 1", parameters: [], location, what: "the query", signal });
    const datasets = length === 1 ? "1 dataset" : `${length} datasets`;
    return {
      ok: true,
      message: `the account can run queries in project ${billingProject} and list ${datasets} of project ${project}`,
    };
  }
}

const TABLE_PROBLEMS = new Set([
  "bigquery/access_denied",
  "bigquery/not_found",
  "bigquery/shards_differ",
  "bigquery/table_invalid",
  "bigquery/type_unsupported",
  "source_answer_invalid",
]);
