import { createHash, randomUUID } from "node:crypto";

import type { TableGateway } from "../../plugins/azure-tables/gateway.ts";

type Fields = Readonly<Record<string, string>>;

/** Options of `SeedCatalog`. */
export interface SeedOptions {
  readonly table: TableGateway;
  readonly wal: TableGateway;
  readonly indexKeys: readonly string[];
  readonly rowKey: string;
  /** The time used in journal keys. */
  readonly clock?: () => string;
  readonly unique?: () => string;
}

/**
 * A reimplementation of the first catalog with its faults, to prove that the checks find them and as a baseline for
 * measurements: journal keys from the wall clock, sequential requests.
 */
export class SeedCatalog {
  readonly #options: SeedOptions;

  constructor(options: SeedOptions) {
    this.#options = options;
  }

  async insert(record: Fields): Promise<void> {
    await this.#journal("insert", record);
    await this.recover();
  }

  async delete(filter: Fields): Promise<void> {
    for (const record of await this.query(filter)) await this.#journal("delete", record);
    await this.recover();
  }

  async query(filter: Fields, range: { rowFrom?: string; rowTo?: string } = {}): Promise<readonly Fields[]> {
    const [first, ...rest] = Object.entries(filter);
    // An empty filter has no first condition and fails here.
    let found = await this.#lookup(first![0], first![1], range);
    for (const [field, value] of rest) {
      const matches = await this.#lookup(field, value, range);
      found = found.filter((record) => matches.some((other) => same(record, other)));
    }
    return found;
  }

  async recover(): Promise<void> {
    const { wal, table } = this.#options;
    const checkpoint = await wal.get("metadata", "checkpoint");
    const start = checkpoint?.values["datetime"] ?? "1900-01-01";
    let last: string | undefined;
    for await (const page of wal.query({ partitionKey: "wal", rowFrom: `${start}\0` })) {
      for (const entry of page) {
        const { operation, ...record } = entry.values;
        for (const key of this.#options.indexKeys) {
          const keys = { partitionKey: partition(key, record[key]!), rowKey: this.#rowKey(record) };
          if (operation === "insert") await table.create({ ...keys, values: record });
          else {
            const there = await table.get(keys.partitionKey, keys.rowKey);
            if (there !== null) await table.remove(keys.partitionKey, keys.rowKey, there.etag);
          }
        }
        last = entry.rowKey;
        await this.#moveCheckpoint(last);
      }
    }
    if (last === undefined && checkpoint !== null) throw new ReferenceError("orphan is not defined");
  }

  async #moveCheckpoint(datetime: string): Promise<void> {
    const { wal } = this.#options;
    const entity = { partitionKey: "metadata", rowKey: "checkpoint", values: { datetime } };
    // Stands for an upsert, which is one request; any etag works.
    if (!(await wal.replace(entity, "*"))) await wal.create(entity);
  }

  async #journal(operation: string, record: Fields): Promise<void> {
    const { clock = () => new Date().toISOString(), unique = randomUUID } = this.#options;
    const rowKey = `${clock()}_${unique()}`;
    await this.#options.wal.create({ partitionKey: "wal", rowKey, values: { operation, ...record } });
  }

  async #lookup(
    field: string,
    value: string,
    range: { rowFrom?: string; rowTo?: string },
  ): Promise<readonly Fields[]> {
    // The filter is concatenated without escaping, so a quote makes the service return 400.
    if (value.includes("'")) throw new Error("400: a syntax error in the filter");
    const found: Fields[] = [];
    for await (const page of this.#options.table.query({
      partitionKey: partition(field, value),
      ...(range.rowFrom === undefined ? {} : { rowFrom: `${range.rowFrom.toLowerCase()}:` }),
      ...(range.rowTo === undefined ? {} : { rowBefore: `${range.rowTo.toLowerCase()}:z\0` }),
    })) {
      found.push(...page.map(({ values }) => values));
    }
    return found;
  }

  #rowKey(record: Fields): string {
    const values = [...this.#options.indexKeys].sort().map((key) => record[key]!.toLowerCase());
    const fingerprint = createHash("md5").update(values.join("|")).digest("hex").slice(0, 8);
    return `${record[this.#options.rowKey]!}:${fingerprint}`;
  }
}

function partition(field: string, value: string): string {
  return `${field.length}_${field}${value}`.toLowerCase();
}

function same(a: Fields, b: Fields): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
