import type { IndexedRow, Lookup } from "agnes/catalog";

import type { PartitionQuery, ReadEntity, TableGateway } from "./gateway.ts";
import { isCut, lowerBoundKey, upperBoundKey } from "./key-text.ts";
import { ROW_LENGTH, type Layout } from "./layout.ts";

/** Rows per request; a page with fewer rows is usually the last. */
const PAGE_SIZE = 1000;

/** Finds rows by the index key with the fewest rows for its value. */
export class RowFinder {
  readonly #table: TableGateway;
  readonly #layout: Layout;
  readonly #toRow: (entity: ReadEntity) => IndexedRow;
  /** Number of rows that the last looked-up value of each field had. */
  readonly #rowsOfValue = new Map<string, number>();

  constructor(table: TableGateway, layout: Layout, toRow: (entity: ReadEntity) => IndexedRow) {
    this.#table = table;
    this.#layout = layout;
    this.#toRow = toRow;
  }

  /**
   * Returns the matching records, ordered by key. If the rows of one index key exceed a page, the other index keys are
   * scanned in turn until one scan ends.
   */
  async find(lookup: Lookup): Promise<readonly IndexedRow[]> {
    const scans = this.#fields(lookup).map((field) => this.#scan(lookup, field));
    for (;;) {
      for (const scan of scans) {
        if (!(await scan.next())) continue;
        for (const { field, rows, isBegun } of scans) {
          if (field !== undefined && isBegun) this.#rowsOfValue.set(field, rows);
        }
        const found = scan.found.sort((a, b) => (a.key < b.key ? -1 : 1));
        return lookup.limit === undefined ? found : found.slice(0, lookup.limit);
      }
    }
  }

  /** The fields of the filter, those with the fewest rows first; `undefined` stands for all records. */
  #fields({ where }: Lookup): readonly (string | undefined)[] {
    if (where.length === 0) return [undefined];
    const rows = (field: string) => this.#rowsOfValue.get(field) ?? 0;
    return [...new Set(where.map(({ field }) => field))].sort((a, b) => rows(a) - rows(b));
  }

  #scan(lookup: Lookup, field: string | undefined): Scan {
    const wanted = lookup.where.find((each) => each.field === field);
    const { partitionKey, prefix } =
      wanted === undefined
        ? { partitionKey: this.#layout.records, prefix: "" }
        : this.#layout.value(wanted.field, wanted.value);
    const query = { partitionKey, ...bounds(prefix, lookup.range), pageSize: PAGE_SIZE };
    return new Scan({ table: this.#table, query, prefix, lookup, field, toRow: this.#toRow });
  }
}

interface ScanOptions {
  readonly table: TableGateway;
  readonly query: PartitionQuery;
  readonly prefix: string;
  readonly lookup: Lookup;
  readonly field: string | undefined;
  readonly toRow: (entity: ReadEntity) => IndexedRow;
}

/** A scan of the rows of one index value, page by page. */
class Scan {
  readonly field: string | undefined;
  readonly found: IndexedRow[] = [];
  rows = 0;
  isBegun = false;
  readonly #options: ScanOptions;
  readonly #pages: AsyncIterator<readonly ReadEntity[]>;
  #inOrder = true;

  constructor(options: ScanOptions) {
    this.field = options.field;
    this.#options = options;
    this.#pages = options.table.query(options.query)[Symbol.asyncIterator]();
  }

  /** Reads up to the end of a full page. Returns whether the scan is complete. */
  async next(): Promise<boolean> {
    const { lookup, prefix, toRow } = this.#options;
    this.isBegun = true;
    for (;;) {
      const page = await this.#pages.next();
      if (page.done === true) return true;
      this.rows += page.value.length;
      for (const entity of page.value) {
        this.#inOrder &&= !isCut(entity.rowKey.slice(prefix.length));
        const row = toRow(entity);
        if (matches(row, lookup)) this.found.push(row);
      }
      if (this.#inOrder && lookup.limit !== undefined && this.found.length >= lookup.limit) return true;
      if (page.value.length >= PAGE_SIZE) return false;
    }
  }
}

function bounds(
  prefix: string,
  range: Lookup["range"],
): { readonly rowFrom?: string; readonly rowBefore?: string } {
  const before = range.before === undefined ? null : upperBoundKey(range.before, ROW_LENGTH);
  const from = range.from === undefined ? "" : lowerBoundKey(range.from, ROW_LENGTH);
  // "." is the character after the "-" that ends every prefix.
  const end = prefix === "" ? null : `${prefix.slice(0, -1)}.`;
  const rowBefore = before === null ? end : prefix + before;
  return {
    ...(prefix + from === "" ? {} : { rowFrom: prefix + from }),
    ...(rowBefore === null ? {} : { rowBefore }),
  };
}

function matches(row: IndexedRow, lookup: Lookup): boolean {
  const { from, before } = lookup.range;
  return (
    row.record !== null &&
    (from === undefined || row.key >= from) &&
    (before === undefined || row.key < before) &&
    lookup.where.every(({ field, value }) => row.record![field] === value)
  );
}
