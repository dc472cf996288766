import { Rejection, type BigQueryApi } from "./api.ts";
import { errors } from "./errors.ts";
import { isSelected, type ListedTable, type TablePath } from "./names.ts";
import {
  datasetListSchema,
  datasetSchema,
  tableListSchema,
  tableSchema,
  type BigQueryTable,
} from "./schemas.ts";
import type { Settings } from "./settings.ts";
import { groupShards } from "./shards.ts";

const PAGE_MAX = 1000;
/** Tables that are described at once. */
const GET_MAX = 100;

/** The datasets and tables of a source. Listing and describing them is free. */
export class Datasets {
  readonly #api: BigQueryApi;
  readonly #settings: Settings;
  readonly #locations = new Map<string, string>();

  constructor(api: BigQueryApi, settings: Settings) {
    this.#api = api;
    this.#settings = settings;
  }

  /**
   * Returns the selected datasets of the project.
   * @throws `bigquery/locations_unreachable` if BigQuery could not list all
   */
  async list(signal: AbortSignal): Promise<readonly string[]> {
    const { project, datasets } = this.#settings;
    const what = `project ${project}`;
    const found: string[] = [];
    const request = { schema: datasetListSchema, query: { maxResults: PAGE_MAX }, what, signal };
    try {
      for await (const page of this.#api.pages(`${pathOf(project)}/datasets`, request)) {
        if (page.unreachable.length > 0)
          throw errors.locations_unreachable({ project, locations: page.unreachable });
        for (const { datasetReference, location } of page.datasets) {
          const { datasetId } = datasetReference;
          if (location !== undefined) this.#locations.set(`${project}.${datasetId}`, location);
          if (isSelected(datasetId, datasets)) found.push(datasetId);
        }
      }
    } catch (error) {
      throw this.#api.failure(error, { what });
    }
    return found;
  }

  /** Returns the tables of a dataset; none if it was deleted meanwhile. */
  async tables(
    { project, dataset }: Pick<TablePath, "project" | "dataset">,
    signal: AbortSignal,
  ): Promise<readonly ListedTable[]> {
    const found: ListedTable[] = [];
    const what = `dataset ${dataset}`;
    const path = `${pathOf(project)}/datasets/${encodeURIComponent(dataset)}/tables`;
    const request = { schema: tableListSchema, query: { maxResults: PAGE_MAX }, what, signal };
    try {
      for await (const { tables } of this.#api.pages(path, request))
        for (const { tableReference, type } of tables)
          found.push({ project, dataset, table: tableReference.tableId, type });
    } catch (error) {
      if (!isGone(error)) throw this.#api.failure(error, { what });
    }
    return found;
  }

  /** Describes the shards of a group, such as `events_YYYYMMDD`, by date. */
  async shards(path: TablePath, signal: AbortSignal): Promise<readonly BigQueryTable[]> {
    const { groups } = groupShards(await this.tables(path, signal));
    const group = groups.find((one) => one.path.table === path.table);
    return this.described(group?.shards ?? [], signal);
  }

  /** Describes several tables; those that were deleted meanwhile are left out. */
  async described(paths: readonly TablePath[], signal: AbortSignal): Promise<readonly BigQueryTable[]> {
    const found: BigQueryTable[] = [];
    for (let at = 0; at < paths.length; at += GET_MAX) {
      const page = await Promise.all(paths.slice(at, at + GET_MAX).map((path) => this.get(path, signal)));
      found.push(...page.filter((one) => one !== null));
    }
    return found;
  }

  /** Describes a table; null if there is none. */
  async get({ project, dataset, table }: TablePath, signal: AbortSignal): Promise<BigQueryTable | null> {
    const what = `table ${dataset}.${table}`;
    const [datasetPart, tablePart] = [dataset, table].map(encodeURIComponent);
    const path = `${pathOf(project)}/datasets/${datasetPart}/tables/${tablePart}`;
    try {
      return await this.#api.call(path, { schema: tableSchema, what, signal });
    } catch (error) {
      if (isGone(error)) return null;
      throw this.#api.failure(error, { what });
    }
  }

  /** The location of a dataset. It never changes, so it is requested once. */
  async location(
    { project, dataset }: Pick<TablePath, "project" | "dataset">,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const key = `${project}.${dataset}`;
    const known = this.#locations.get(key);
    if (known !== undefined) return known;
    const what = `dataset ${dataset}`;
    const path = `${pathOf(project)}/datasets/${encodeURIComponent(dataset)}`;
    try {
      const { location } = await this.#api.call(path, { schema: datasetSchema, what, signal });
      if (location !== undefined) this.#locations.set(key, location);
      return location;
    } catch (error) {
      throw this.#api.failure(error, { what });
    }
  }
}

const pathOf = (project: string): string => `/projects/${encodeURIComponent(project)}`;

/** Whether there is no such table or dataset. A project that is not found is an error of the options. */
function isGone(error: unknown): boolean {
  return (
    error instanceof Rejection &&
    error.proto.reason === "notFound" &&
    !/Not found: Project/i.test(error.proto.message)
  );
}
