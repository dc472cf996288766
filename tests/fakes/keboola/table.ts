import { wholeSeconds } from "./dates.ts";
import { compileFilters, type WhereFilter } from "./filters.ts";
import { withMetadata, type MetadataEntry, type NewMetadata } from "./metadata.ts";
import type { CellValue, TypedColumn } from "./types.ts";

/** A row by its columns; a missing column is empty, or null in a table with types. */
export type KeboolaRow = Readonly<Record<string, CellValue>>;

/** A stored row. */
export interface StoredRow {
  readonly values: ReadonlyMap<string, CellValue>;
  /** The column `_timestamp`. */
  readonly timestamp: Date;
}

/** What tables share: the clock, ids, random numbers. */
export interface World {
  readonly now: () => Date;
  readonly nextId: () => number;
  readonly random: () => number;
  readonly backend: "snowflake" | "bigquery";
}

/** A project by name. */
export interface ProjectName {
  readonly id: number | string;
  readonly name: string;
}

/** How a table is created. */
export interface TableOptions {
  /** Names make a table of strings, definitions one with native types. */
  readonly columns: readonly (string | TypedColumn)[];
  readonly primaryKey?: readonly string[];
  readonly rows?: readonly KeboolaRow[];
  /** `NONE`: rows have no `_timestamp`. Default: `MANAGED`. */
  readonly timestampType?: "MANAGED" | "NONE";
  /** Default: `table`; the dates of a `view` do not move with its data. */
  readonly tableType?: "table" | "view" | "snowflake-external-table";
  readonly displayName?: string;
  readonly metadata?: readonly NewMetadata[];
  readonly columnMetadata?: Readonly<Record<string, readonly NewMetadata[]>>;
  /** What the API reports. Default: the number of rows. */
  readonly rowsCount?: number | null;
  /** What the API reports. Default: an estimate. */
  readonly dataSizeBytes?: number | null;
  /** Whether a query must filter partitions, as BigQuery can demand; needs types. Default: `false`. */
  readonly requirePartitionFilter?: boolean;
  /** Slices that are exported as they are, instead of rows: paths of files, and the number of their rows. */
  readonly prepared?: PreparedExport;
}

/** Files that stand for the rows of a large table, by type of file. */
export interface PreparedExport {
  readonly csv?: readonly string[];
  readonly parquet?: readonly string[];
  readonly rowsCount: number;
}

/** The other table of an alias. */
export interface AliasSource {
  readonly table: KeboolaTable;
  readonly project: ProjectName;
  /** The columns of the alias. Default: those of the source, also later ones. */
  readonly columns?: readonly string[];
  readonly filter?: WhereFilter;
}

/** A table, a view or an alias, with its rows. */
export class KeboolaTable {
  readonly id: string;
  readonly bucketId: string;
  readonly name: string;
  readonly options: TableOptions;
  readonly created: Date;
  /** Counts every change of data, columns and filters. */
  version = 0;
  primaryKey: readonly string[];
  lastImport: Date | null = null;
  lastChange: Date | null = null;
  metadata: readonly MetadataEntry[] = [];
  readonly columnMetadata = new Map<string, readonly MetadataEntry[]>();
  readonly #world: World;
  #names: readonly string[];
  #types: ReadonlyMap<string, TypedColumn> | null;
  #rows: readonly StoredRow[] = [];
  #source: AliasSource | null;
  #isExternal: boolean;

  constructor(
    id: string,
    options: TableOptions,
    world: World,
    {
      source = null,
      isExternal = false,
    }: { readonly source?: AliasSource | null; readonly isExternal?: boolean } = {},
  ) {
    const at = id.lastIndexOf(".");
    this.id = id;
    this.bucketId = id.slice(0, at);
    this.name = id.slice(at + 1);
    this.options = options;
    this.created = world.now();
    this.primaryKey = options.primaryKey ?? [];
    this.#world = world;
    this.#source = source;
    this.#isExternal = isExternal || (options.tableType ?? "table") !== "table";
    this.#names = options.columns.map((column) => (typeof column === "string" ? column : column.name));
    const typed = options.columns.filter((column) => typeof column !== "string");
    this.#types = typed.length === 0 ? null : new Map(typed.map((column) => [column.name, column]));
    this.setMetadata(options.metadata ?? []);
    for (const [column, entries] of Object.entries(options.columnMetadata ?? {}))
      this.setColumnMetadata(column, entries);
    if (options.rows !== undefined) this.load(options.rows, { mode: "truncate" });
    if (options.prepared !== undefined) this.#changed();
    if (this.#isExternal) this.refresh();
  }

  get columns(): readonly string[] {
    return this.#source?.columns ?? this.#source?.table.columns ?? this.#names;
  }

  /** The columns with native types; null in a table of strings. */
  get types(): ReadonlyMap<string, TypedColumn> | null {
    return this.#source === null ? this.#types : this.#source.table.types;
  }

  get isTyped(): boolean {
    return this.types !== null;
  }

  get source(): AliasSource | null {
    return this.#source;
  }

  /** Moves with every change of what an export returns. */
  get exportVersion(): string {
    return `${this.version}/${this.#source?.table.exportVersion ?? ""}`;
  }

  get prepared(): PreparedExport | undefined {
    return this.options.prepared ?? this.#source?.table.prepared;
  }

  get rows(): readonly StoredRow[] {
    if (this.#source === null) return this.#rows;
    const { table, filter } = this.#source;
    if (filter === undefined) return table.rows;
    const test = compileFilters([filter], {
      columns: table.columns,
      typeOf: (column) => table.types?.get(column)?.type,
      backend: this.#world.backend,
      now: this.#world.now(),
    });
    return table.rows.filter(({ values }) => test((column) => values.get(column) ?? null));
  }

  get rowsCount(): number | null {
    if (this.options.rowsCount !== undefined) return this.options.rowsCount;
    return this.prepared?.rowsCount ?? this.rows.length;
  }

  /**
   * Loads rows as an import does: `truncate` empties the table first, so that all rows are new; `incremental` replaces
   * rows with the same key. An unchanged row keeps its `_timestamp` in a table of strings and moves in one with types.
   */
  load(
    rows: readonly KeboolaRow[],
    { mode, at }: { readonly mode: "truncate" | "incremental"; readonly at?: Date },
  ): { readonly added: number; readonly updated: number } {
    if (this.#source !== null) throw new Error(`${this.id} is an alias: load its source`);
    const timestamp = wholeSeconds(at ?? this.#world.now());
    const kept = new Map<string, StoredRow>();
    for (const row of mode === "truncate" ? [] : this.#rows) kept.set(this.#keyOf(row.values), row);
    let [added, updated] = [0, 0];
    for (const values of this.#distinct(rows.map((row) => this.#toValues(row)))) {
      const key = this.#keyOf(values);
      const old = kept.get(key);
      if (old === undefined) added += 1;
      else updated += 1;
      const isSame =
        old !== undefined &&
        !this.isTyped &&
        this.#names.every((name) => old.values.get(name) === values.get(name));
      kept.set(key, { values, timestamp: isSame ? old.timestamp : timestamp });
    }
    this.#rows = [...kept.values()];
    this.lastImport = this.#isExternal ? this.lastImport : this.#world.now();
    this.#changed();
    return { added, updated };
  }

  /** Deletes the rows that match, without a trace in those that stay. */
  deleteRows(matches: (row: KeboolaRow) => boolean): void {
    this.#rows = this.#rows.filter(({ values }) => !matches(Object.fromEntries(values)));
    this.#changed();
  }

  truncate(): void {
    this.deleteRows(() => true);
  }

  /** Adds a column; its values are empty, or null with a type. */
  addColumn(column: string | TypedColumn): void {
    const name = typeof column === "string" ? column : column.name;
    const value = typeof column === "string" ? "" : null;
    this.#names = [...this.#names, name];
    if (typeof column !== "string") this.#types = new Map([...(this.#types ?? []), [name, column]]);
    this.#rows = this.#rows.map((row) => ({ ...row, values: new Map([...row.values, [name, value]]) }));
    this.#changed();
  }

  dropColumn(name: string): void {
    this.#names = this.#names.filter((one) => one !== name);
    this.#types = this.#types && new Map([...this.#types].filter(([one]) => one !== name));
    this.columnMetadata.delete(name);
    this.#changed();
  }

  /** Changes the native type of a column; dates stay. */
  changeType(column: TypedColumn): void {
    this.#types = new Map([...(this.#types ?? []), [column.name, column]]);
    this.version += 1;
  }

  /** Changes the filter or the columns of an alias; the dates of its source stay. */
  changeAlias(changes: Partial<Pick<AliasSource, "filter" | "columns">>): void {
    if (this.#source === null) throw new Error(`${this.id} is not an alias`);
    this.#source = { ...this.#source, ...changes };
    this.version += 1;
  }

  /** Moves the dates of a view or an external table to its data. */
  refresh(): void {
    this.lastChange = this.#world.now();
  }

  setMetadata(entries: readonly NewMetadata[]): readonly MetadataEntry[] {
    this.metadata = withMetadata(this.metadata, entries, this.#stamp());
    return this.metadata;
  }

  setColumnMetadata(column: string, entries: readonly NewMetadata[]): readonly MetadataEntry[] {
    const all = withMetadata(this.columnMetadata.get(column) ?? [], entries, this.#stamp());
    this.columnMetadata.set(column, all);
    return all;
  }

  /** Returns whether the column had an entry of this id. */
  removeColumnMetadata(column: string, id: string): boolean {
    const before = this.columnMetadata.get(column) ?? [];
    const after = before.filter((entry) => entry.id !== id);
    this.columnMetadata.set(column, after);
    return after.length < before.length;
  }

  #stamp(): { readonly now: Date; readonly nextId: () => number } {
    return { now: this.#world.now(), nextId: this.#world.nextId };
  }

  #changed(): void {
    this.version += 1;
    if (!this.#isExternal) this.lastChange = this.#world.now();
  }

  #toValues(row: KeboolaRow): ReadonlyMap<string, CellValue> {
    const unknown = Object.keys(row).find((name) => !this.#names.includes(name));
    if (unknown !== undefined) throw new RangeError(`${this.id} has no column ${unknown}`);
    return new Map(
      this.#names.map((name) => {
        const type = this.#types?.get(name);
        const value = row[name] ?? null;
        if (value === null && type === undefined) return [name, ""];
        return [name, value];
      }),
    );
  }

  /** Keeps one row of each key, any of them. */
  #distinct(rows: readonly ReadonlyMap<string, CellValue>[]): readonly ReadonlyMap<string, CellValue>[] {
    if (this.primaryKey.length === 0) return rows;
    const found = new Map<string, ReadonlyMap<string, CellValue>>();
    for (const row of rows) {
      const key = this.#keyOf(row);
      if (!found.has(key) || this.#world.random() < 0.5) found.set(key, row);
    }
    return [...found.values()];
  }

  /** Without a key every row is another one. */
  #keyOf(values: ReadonlyMap<string, CellValue>): string {
    if (this.primaryKey.length === 0) return String(this.#world.nextId());
    return JSON.stringify(this.primaryKey.map((name) => values.get(name) ?? null));
  }
}
