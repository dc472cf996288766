import {
  AgnesError,
  table as tableInfo,
  type ConnectContext,
  type Health,
  type TableInfo,
  type TableMetadata,
} from "agnes/kit";

import { BigQueryApi } from "./api.ts";
import { Datasets } from "./datasets.ts";
import { describeTable, metadataOf } from "./describe.ts";
import { Jobs } from "./jobs.ts";
import { tableNameOf, tablePathOf, type TablePath } from "./names.ts";
import type { BigQueryOptions, bigquerySecrets } from "./options.ts";
import { settingsOf, type Settings } from "./settings.ts";
import { SignIn } from "./sign-in.ts";
import { StorageReads } from "./storage/reads.ts";

/** Tables that are described before the next page of `discover`. */
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
    for (const dataset of await this.datasets.list(signal)) {
      for await (const paths of this.datasets.tables(dataset, signal)) {
        for (let at = 0; at < paths.length; at += PAGE) {
          signal.throwIfAborted();
          const page = await Promise.all(
            paths.slice(at, at + PAGE).map((path) => this.#describe(path, signal)),
          );
          yield page.filter((info) => info !== null);
        }
      }
    }
  }

  /** Describes a table of a list; null if it was deleted meanwhile. One that is not accessible has a problem. */
  async #describe(path: TablePath, signal: AbortSignal): Promise<TableInfo | null> {
    const { project } = this.settings;
    try {
      const found = await this.datasets.get(path, signal);
      return found === null ? null : describeTable(found, project);
    } catch (error) {
      const isOne = error instanceof AgnesError && TABLE_PROBLEMS.has(error.code);
      if (!isOne) throw error;
      return tableInfo(tableNameOf(path, project), {}, { problem: error });
    }
  }

  async metadata(tables: readonly TableInfo[], signal: AbortSignal): Promise<readonly TableMetadata[]> {
    const found = await Promise.all(
      tables.map(async ({ name }) => {
        const path = tablePathOf(name, this.settings.project);
        const table = path === null ? null : await this.datasets.get(path, signal);
        return table === null ? null : metadataOf(table, name);
      }),
    );
    return found.filter((one) => one !== null);
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

const TABLE_PROBLEMS = new Set(["bigquery/access_denied", "source_answer_invalid"]);
