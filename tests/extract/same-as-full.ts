import { expect } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createHost, silentLog } from "../../lib/base/mod.ts";
import { createEngine, openDatabase } from "../../lib/duckdb/mod.ts";
import { extractSource, type ExtractStats } from "../../lib/extract/mod.ts";
import {
  int64,
  table as tableInfo,
  utf8,
  type AnyConnector,
  type Batch,
  type Deletions,
  type TableInfo,
} from "../../lib/kit/mod.ts";
import { createPluginRegistry } from "../../lib/plugins/mod.ts";
import { connectSource, discoverTables } from "../../lib/sources/mod.ts";
import { seededRandom } from "../../lib/testing/fakes/fake-host.ts";
import duckdb from "../../plugins/duckdb/plugin.ts";
import files from "../../plugins/files/plugin.ts";
import { incremental, rowsOf } from "./harness.ts";

const limits = { memoryMb: 256, threads: 1 };
const services = { host: createHost(), log: silentLog, limits };

interface Item {
  readonly id: number;
  readonly at: number | null;
  readonly v: string;
}

/** A source that changes at random, and the expected rows of its table after each read. */
interface Changing extends AsyncDisposable {
  readonly connector: AnyConnector;
  readonly key: readonly string[];
  /** The current description of the table. */
  table(): Promise<TableInfo>;
  change(): Promise<void>;
  /** Called after each read: the rows as text, sorted. */
  expected(): readonly string[];
}

type Random = ReturnType<typeof randomOf>;

function randomOf(seed: number) {
  const next = seededRandom(seed);
  return {
    below: (limit: number) => Math.floor(next() * limit),
    chance: (share: number) => next() < share,
  };
}

const textOf = ({ id, at, v }: Item) => `${id} ${at} ${v}`;

/** Files of a folder that are added, extended, rewritten and removed, with rows of any age. */
async function changingFiles(random: Random, hasKey: boolean): Promise<Changing> {
  const root = await mkdtemp(join(tmpdir(), "agnes-same-"));
  await mkdir(join(root, "data/t"), { recursive: true });
  const contents = new Map<string, Item[]>();
  let clock = 0;
  const item = (): Item => ({
    id: random.below(12),
    // Late rows, equal ones, later ones and rows without a time.
    at: random.chance(0.1) ? null : Math.max(0, (clock += random.below(2)) - random.below(5)),
    v: `v${random.below(3)}`,
  });
  const write = async (name: string) => {
    const lines = contents.get(name)!.map(({ id, at, v }) => `${id},${at ?? ""},${v}\n`);
    await writeFile(join(root, "data/t", name), `id,at,v\n${lines.join("")}`);
  };
  const options = { path: "data", tables: { t: { types: { id: "BIGINT", at: "BIGINT", v: "VARCHAR" } } } };
  const engine = createEngine(createHost(), limits);
  const handle = await connectSource(
    { host: createHost(), log: silentLog, engine, directory: root },
    createPluginRegistry([files]),
    "exports",
    { plugin: "files", options },
  );
  const change = async () => {
    const before = new Map([...contents].map(([one, items]) => [one, JSON.stringify(items)]));
    const names = [...contents.keys()];
    const name = names[random.below(names.length)];
    const kind = name === undefined ? 9 : random.below(10);
    if (kind < 3) contents.get(name!)!.push(...Array.from({ length: 1 + random.below(3) }, item));
    else if (kind < 5)
      contents.set(
        name!,
        contents.get(name!)!.filter(() => random.chance(0.7)),
      );
    else if (kind < 6 && names.length > 1) contents.delete(name!);
    else contents.set(`f${random.below(8)}.csv`, Array.from({ length: 1 + random.below(4) }, item));
    for (const gone of names) if (!contents.has(gone)) await rm(join(root, "data/t", gone));
    for (const [one, items] of contents) if (before.get(one) !== JSON.stringify(items)) await write(one);
  };
  return {
    connector: handle.connector,
    table: async () => (await discoverTables(handle))[0]!,
    key: hasKey ? ["id"] : [],
    change,
    expected() {
      const all = [...contents].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, items]) => items);
      const rows = hasKey ? [...new Map(all.map((one) => [one.id, one])).values()] : all;
      return rows.map(textOf).sort();
    },
    async [Symbol.asyncDispose]() {
      await handle.close();
      await engine.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** Rows of a table by key. Each change updates the time. Only row objects report deletions. */
class ChangingRows {
  readonly rows = new Map<number, Item>();
  /** Without a key: the rows of each read are appended. */
  readonly seen: Item[] = [];
  readonly deleted: number[] = [];
  readonly #random: Random;
  readonly #hasKey: boolean;
  #clock = 1;
  #ids = 0;
  #last: number | null = null;

  constructor(random: Random, hasKey: boolean) {
    this.#random = random;
    this.#hasKey = hasKey;
  }

  change(tellsDeletions: boolean): void {
    const random = this.#random;
    const known = [...this.rows.keys()];
    for (let count = 1 + random.below(4); count > 0; count -= 1) {
      const isNew = known.length === 0 || random.chance(0.5);
      const id = isNew ? this.#ids++ : known[random.below(known.length)]!;
      if (!isNew && !this.#hasKey) continue;
      if (!isNew && tellsDeletions && random.chance(0.4)) {
        this.rows.delete(id);
        this.deleted.push(id);
        continue;
      }
      // The last time, a later one or none. A cursor cannot find earlier ones.
      const at = random.chance(0.15) ? null : (this.#clock += random.below(2));
      this.rows.set(id, { id, at, v: `v${random.below(1000)}` });
    }
  }

  expected(): readonly string[] {
    if (this.#hasKey) return [...this.rows.values()].map(textOf).sort();
    const isFirst = this.#last === null;
    const fresh = [...this.rows.values()].filter(({ at }) => isFirst || (at !== null && at > this.#last!));
    // As documented: only a full read finds rows with an equal time or without a time.
    if (isFirst) this.seen.length = 0;
    this.seen.push(...fresh);
    const times = this.seen.map(({ at }) => at).filter((at) => at !== null);
    this.#last = times.length === 0 ? null : Math.max(...times);
    return this.seen.map(textOf).sort();
  }
}

async function changingDatabase(random: Random, hasKey: boolean): Promise<Changing> {
  const root = await mkdtemp(join(tmpdir(), "agnes-same-"));
  const rows = new ChangingRows(random, hasKey);
  const path = join(root, "w.duckdb");
  const engine = createEngine(createHost(), limits);
  const run = async (sql: string) => {
    await using database = await openDatabase({ path, limits });
    await using connection = await database.connect();
    await connection.run(sql);
  };
  await run('CREATE TABLE t (id BIGINT, "at" BIGINT, v VARCHAR)');
  const handle = await connectSource(
    { host: createHost(), log: silentLog, engine, directory: root },
    createPluginRegistry([duckdb]),
    "wh",
    { plugin: "duckdb", options: { path } },
  );
  return {
    connector: handle.connector,
    table: async () => (await discoverTables(handle))[0]!,
    key: hasKey ? ["id"] : [],
    async change() {
      rows.change(false);
      const values = [...rows.rows.values()].map(({ id, at, v }) => `(${id}, ${at ?? "NULL"}, '${v}')`);
      await run(`DELETE FROM t; ${values.length > 0 ? `INSERT INTO t VALUES ${values.join(", ")}` : ""}`);
    },
    expected: () => rows.expected(),
    async [Symbol.asyncDispose]() {
      await handle.close();
      await engine.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

async function changingObjects(random: Random, hasKey: boolean): Promise<Changing> {
  const rows = new ChangingRows(random, hasKey);
  const info = tableInfo("t", { id: int64(), at: int64(), v: utf8() });
  return {
    key: hasKey ? ["id"] : [],
    table: async () => info,
    connector: {
      async *read(_, { cursor }): AsyncGenerator<Batch | Deletions> {
        const from = cursor === undefined ? -1 : Number(cursor.value);
        const deletions = rows.deleted.splice(0).map((id) => ({ id }));
        if (cursor !== undefined && deletions.length > 0) yield { kind: "deletions", keys: deletions };
        for (const row of rows.rows.values()) {
          const isLater = row.at !== null && row.at > from;
          const isEqual = row.at === null || row.at === from;
          if (cursor === undefined || isLater || (cursor.inclusive && isEqual)) yield [{ ...row }];
        }
      },
    },
    async change() {
      rows.change(hasKey);
    },
    expected: () => rows.expected(),
    async [Symbol.asyncDispose]() {},
  };
}

const sources = { files: changingFiles, duckdb: changingDatabase, objects: changingObjects };
const STEPS = 8;

/** A source of each kind, with and without a key. */
export const changingSources: readonly ChangingSource[] = (["files", "duckdb", "objects"] as const).flatMap(
  (kind) => [true, false].map((hasKey) => ({ kind, hasKey })),
);

interface ChangingSource {
  readonly kind: keyof typeof sources;
  readonly hasKey: boolean;
}

/** Syncs a source that changes at random, and compares the published rows with those of a full read. */
export async function expectSameAsFull(
  { kind, hasKey }: ChangingSource,
  seeds: readonly number[],
): Promise<void> {
  for (const seed of seeds) {
    await using source = await sources[kind](randomOf(seed), hasKey);
    const directory = await mkdtemp(join(tmpdir(), "agnes-same-extract-"));
    try {
      for (let step = 0; step < STEPS; step++) {
        await source.change();
        const stats = await sync(directory, source);
        const where = `AGNES_SEED=${seed}, step ${step}`;
        expect(stats.errors, where).toEqual([]);
        const found = await rowsOf<Item>(directory, 'SELECT id, "at", v FROM t');
        expect(found.map(textOf).sort(), where).toEqual([...source.expected()]);
      }
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }
}

async function sync(directory: string, source: Changing): Promise<ExtractStats> {
  const { connector, key } = source;
  const plan = incremental(await source.table(), { primaryKey: key, cursor: "at" });
  return extractSource(services, {
    directory,
    source: { name: "s", plugin: { name: "p", version: "1" }, connector },
    tables: [plan],
  });
}
