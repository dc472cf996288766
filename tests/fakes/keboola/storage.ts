import { withMetadata, type MetadataEntry, type NewMetadata } from "./metadata.ts";
import { KeboolaTable, type AliasSource, type ProjectName, type TableOptions, type World } from "./table.ts";

/** A bucket. */
export interface KeboolaBucket {
  readonly id: string;
  readonly displayName: string;
  readonly description: string;
  readonly created: Date;
  readonly backend: "snowflake" | "bigquery";
  /** A schema of the customer's own database (BYODB). */
  readonly isExternal: boolean;
  /** The bucket of another project that a linked bucket shows. */
  readonly source: {
    readonly id: string;
    readonly project: ProjectName;
    readonly description: string;
  } | null;
  readonly metadata: readonly MetadataEntry[];
}

/** How a bucket is created. */
export interface BucketOptions {
  /** Default: the name without `c-`. */
  readonly displayName?: string;
  readonly description?: string;
  readonly isExternal?: boolean;
  readonly metadata?: readonly NewMetadata[];
}

/** The buckets and tables of one branch of a project. */
export class KeboolaStorage {
  readonly project: ProjectName;
  readonly branch: {
    readonly id: number;
    readonly name: string;
    readonly isDefault: boolean;
    readonly created: Date;
  };
  readonly buckets = new Map<string, KeboolaBucket>();
  readonly tables = new Map<string, KeboolaTable>();
  readonly #world: World;

  constructor(
    project: ProjectName,
    branch: { readonly id: number; readonly name: string; readonly isDefault: boolean },
    world: World,
  ) {
    this.project = project;
    this.branch = { ...branch, created: world.now() };
    this.#world = world;
  }

  /** @throws RangeError for an id that is not like `in.c-main` */
  createBucket(id: string, options: BucketOptions = {}): KeboolaBucket {
    return this.#addBucket(id, options, null);
  }

  /** Creates a table such as `in.c-main.orders`, and its bucket if it is missing. */
  createTable(id: string, options: TableOptions): KeboolaTable {
    return this.#addTable(id, options, null);
  }

  /** Creates an alias of a table of this project. */
  createAlias(
    id: string,
    sourceId: string,
    options: Pick<AliasSource, "columns" | "filter"> & Partial<Omit<TableOptions, "columns" | "rows">> = {},
  ): KeboolaTable {
    const { columns, filter, ...rest } = options;
    const table = this.table(sourceId);
    const source: AliasSource = {
      table,
      project: this.project,
      ...(columns === undefined ? {} : { columns }),
      ...(filter === undefined ? {} : { filter }),
    };
    // The API gives no count for an alias with a filter.
    const rowsCount = filter === undefined ? {} : { rowsCount: null, dataSizeBytes: null };
    return this.#addTable(id, { ...rowsCount, ...rest, columns: [] }, source);
  }

  /** Links a bucket of another project: read-only, all of its tables are aliases. */
  linkBucket(id: string, other: KeboolaStorage, otherId: string): KeboolaBucket {
    const { description, displayName } = other.bucket(otherId);
    const { project } = other;
    const bucket = this.#addBucket(id, { displayName }, { id: otherId, project, description });
    for (const table of other.tables.values()) {
      if (table.bucketId !== otherId) continue;
      const { primaryKey } = table;
      this.#addTable(`${id}.${table.name}`, { columns: [], primaryKey }, { table, project });
    }
    return bucket;
  }

  bucket(id: string): KeboolaBucket {
    const found = this.buckets.get(id);
    if (found === undefined) throw new RangeError(`there is no bucket ${id}`);
    return found;
  }

  table(id: string): KeboolaTable {
    const found = this.tables.get(id);
    if (found === undefined) throw new RangeError(`there is no table ${id}`);
    return found;
  }

  tablesOf(bucketId: string): readonly KeboolaTable[] {
    return [...this.tables.values()].filter((table) => table.bucketId === bucketId);
  }

  /** Drops a table, or a bucket with its tables. */
  drop(id: string): void {
    if (!this.buckets.delete(id)) this.tables.delete(id);
    for (const table of this.tablesOf(id)) this.tables.delete(table.id);
  }

  #addTable(id: string, options: TableOptions, source: AliasSource | null): KeboolaTable {
    const table = new KeboolaTable(id, options, this.#world, {
      source,
      isExternal: this.buckets.get(id.slice(0, id.lastIndexOf(".")))?.isExternal ?? false,
    });
    if (!this.buckets.has(table.bucketId)) this.createBucket(table.bucketId);
    this.tables.set(id, table);
    return table;
  }

  #addBucket(id: string, options: BucketOptions, source: KeboolaBucket["source"]): KeboolaBucket {
    const name = /^(?:in|out|sys)\.(?:c-)?([\w-]+)$/.exec(id)?.[1];
    if (name === undefined) throw new RangeError(`${id} is not the id of a bucket, such as in.c-main`);
    const now = this.#world.now();
    const bucket: KeboolaBucket = {
      id,
      displayName: options.displayName ?? name,
      description: options.description ?? "",
      created: now,
      backend: this.#world.backend,
      isExternal: options.isExternal ?? false,
      source,
      metadata: withMetadata([], options.metadata ?? [], { now, nextId: this.#world.nextId }),
    };
    this.buckets.set(id, bucket);
    return bucket;
  }
}
