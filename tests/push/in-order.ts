import { expect } from "bun:test";

import { int64, table, type Change, type PushEvent, type Row } from "../../lib/kit/mod.ts";
import { runStream, Spool } from "../../lib/push/mod.ts";
import { seededRandom } from "../../lib/testing/fakes/fake-host.ts";
import { incremental, openBench, sourceOf } from "../extract/harness.ts";

/** Rows with two kinds of parents. Versions are unique, so that no two changes are equal. */
const items = (isVersioned: boolean) =>
  table(
    "items",
    { id: int64({ nullable: false }), a: int64(), b: int64(), v: int64() },
    { primaryKey: ["id"], ...(isVersioned ? { cursor: "v" } : {}) },
  );

type Item = Readonly<Record<"id" | "a" | "b" | "v", number>>;

const IDS = 6;
const PARENTS = 2;

/** Random changes of few rows, to cause conflicts. Deletions are of rows that may not exist. */
function randomChanges(random: () => number, count: number, versions: () => number): readonly Change[] {
  const below = (limit: number) => Math.floor(random() * limit);
  const item = (parent: Partial<Item> = {}): Item => ({
    id: below(IDS),
    a: below(PARENTS),
    b: below(PARENTS),
    v: versions(),
    ...parent,
  });
  return Array.from({ length: count }, (): Change => {
    const kind = random();
    if (kind < 0.4) return { kind: "upsert", table: "items", row: item() };
    if (kind < 0.6) return { kind: "delete", table: "items", key: { id: below(IDS) } };
    const parent = random() < 0.7 ? { a: below(PARENTS) } : { b: below(PARENTS) };
    const rows = new Map(Array.from({ length: below(3) }, () => item(parent)).map((row) => [row.id, row]));
    return { kind: "replace", table: "items", parent, rows: [...rows.values()] };
  });
}

/** Applies changes one by one, as separate publishes would. */
class Model {
  readonly rows = new Map<number, Item>();
  readonly #barred = new Map<number, number>();
  readonly #isVersioned: boolean;

  constructor(isVersioned: boolean) {
    this.#isVersioned = isVersioned;
  }

  apply(change: Change): void {
    if (change.kind === "upsert") this.#upsert(change.row as Item);
    else if (change.kind === "delete") this.#delete(change.key["id"] as number);
    else this.#replace(change.parent, change.rows as readonly Item[]);
  }

  #upsert(row: Item): void {
    const least = Math.max(this.rows.get(row.id)?.v ?? -1, this.#barred.get(row.id) ?? -1);
    if (!this.#isVersioned || row.v > least) this.rows.set(row.id, row);
  }

  #delete(id: number): void {
    const row = this.rows.get(id);
    if (row === undefined) return;
    this.#barred.set(id, row.v);
    this.rows.delete(id);
  }

  #replace(parent: Row, rows: readonly Item[]): void {
    const ids = new Set(rows.map(({ id }) => id));
    for (const row of this.rows.values()) {
      const belongs = Object.entries(parent).every(([name, value]) => row[name as keyof Item] === value);
      if (belongs && !ids.has(row.id)) this.#delete(row.id);
    }
    for (const row of rows) {
      this.rows.set(row.id, row);
      this.#barred.delete(row.id);
    }
  }
}

const connector = {
  verify: async () => [],
  async *stream(events: AsyncIterable<PushEvent>): AsyncIterable<Change> {
    for await (const { body } of events) yield* body as unknown as readonly Change[];
  },
};

/**
 * Checks two batches of changes, each merged at once. The second one is merged with the rows and tombstones of the
 * first.
 */
export async function checkInOrder(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const isVersioned = seed % 3 !== 0;
  const versions = Array.from({ length: 500 }, (_, at) => at).sort(() => random() - 0.5);
  const model = new Model(isVersioned);
  const plan = incremental(items(isVersioned));
  await using bench = await openBench();
  for (const batch of [1, 2]) {
    const changes = randomChanges(random, 12, () => versions.pop()!);
    for (const change of changes) model.apply(change);
    await new Spool(bench.services.host, bench.directory).append([
      { id: `${batch}`, body: changes as never },
    ]);
    const source = sourceOf(connector as never);
    const { errors } = await runStream(bench.services, {
      directory: bench.directory,
      source,
      tables: [plan],
    });
    expect(errors).toEqual([]);
    const rows = await bench.rows<Record<string, bigint>>("SELECT id, a, b, v FROM items ORDER BY id");
    const found = rows.map((row) => Object.fromEntries(Object.entries(row).map(([k, v]) => [k, Number(v)])));
    const expected = [...model.rows.values()].sort((one, other) => one.id - other.id);
    expect({ seed, batch, rows: found as unknown }).toEqual({ seed, batch, rows: expected });
  }
}
