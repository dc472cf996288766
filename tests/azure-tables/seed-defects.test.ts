import { expect, test } from "bun:test";
import { createHash } from "node:crypto";

import { openCatalog, type CatalogFilter } from "agnes/catalog";
import { AgnesError } from "agnes/kit";

import { azureStore } from "../../plugins/azure-tables/storage.ts";
import { memoryGateway, type MemoryTable, type TableFaults } from "../fakes/memory-tables.ts";
import { SeedCatalog } from "./seed-approach.ts";

type Fields = Readonly<Record<string, string>>;

/** One writer of a catalog: Agnes's or the first one. */
interface Subject {
  insert(record: Fields): Promise<unknown>;
  query(filter: Fields, range?: { rowFrom?: string; rowTo?: string }): Promise<readonly Fields[]>;
  recover(): Promise<unknown>;
}

/** Two tables shared by several writers, with faults for their requests. */
class World {
  readonly tables: readonly [MemoryTable, MemoryTable] = [new Map(), new Map()];
  requests: string[] = [];
  failing: (operation: string, request: number) => boolean = () => false;
  readonly faults: TableFaults = {
    before: async (operation) => {
      this.requests.push(operation);
      if (!this.failing(operation, this.requests.length)) return;
      throw new AgnesError("catalog_unavailable", { catalog: "x", operation, reason: "503" });
    },
    after: async () => {},
  };
}

interface WriterOptions {
  readonly indexKeys?: readonly string[];
  readonly now?: string;
  readonly unique?: string;
}

type Open = (world: World, options?: WriterOptions) => Promise<Subject>;

const keys = ["group", "state", "kind"];

const openOurs: Open = async (world, { indexKeys = keys, now = "2026-01-01T00:00:00Z" } = {}) => {
  const [table, log] = world.tables.map((entities) => memoryGateway(entities, world.faults)) as [
    never,
    never,
  ];
  const catalog = await openCatalog<Fields>({
    storage: {
      open: async (name, schema) => azureStore({ catalog: name, schema, table, log, recheckMs: 0 }),
    },
    name: "things",
    // In the first catalog, records with the same id and different index values are different records.
    rowKey: ["id", ...indexKeys],
    indexKeys,
    host: {
      now: () => new Date(now),
      monotonicMs: () => performance.now(),
      random: Math.random,
      sleep: (durationMs) => Bun.sleep(Math.min(durationMs, 1)),
      env: {},
      userName: () => "tester",
    },
  });
  return {
    insert: (record) => catalog.insert(record),
    query: async (filter, range) =>
      (await catalog.query(filter as CatalogFilter<Fields>, range)).map(({ record }) => record),
    recover: () => catalog.recover(),
  };
};

const openTheirs: Open = async (world, { indexKeys = keys, now, unique } = {}) => {
  const [table, wal] = world.tables.map((entities) => memoryGateway(entities, world.faults)) as [
    never,
    never,
  ];
  return new SeedCatalog({
    table,
    wal,
    indexKeys,
    rowKey: "id",
    ...(now === undefined ? {} : { clock: () => now }),
    ...(unique === undefined ? {} : { unique: () => unique }),
  });
};

const thing = (id: string, more: Fields = {}): Fields => ({ id, group: "g", state: "s", kind: "k", ...more });

/** Two texts with the same first 8 digits of MD5. */
function sameFingerprint(textOf: (value: string) => string): readonly [string, string] {
  const seen = new Map<string, string>();
  for (let at = 0; ; at++) {
    const fingerprint = createHash("md5")
      .update(textOf(`s${at}`))
      .digest("hex")
      .slice(0, 8);
    const other = seen.get(fingerprint);
    if (other !== undefined) return [other, `s${at}`];
    seen.set(fingerprint, `s${at}`);
  }
}

const ids = (found: readonly Fields[]) => found.map(({ id }) => id);

/** Each of these holds for Agnes and fails for the first catalog. */
const guarantees: Readonly<Record<string, (open: Open) => Promise<void>>> = {
  "a writer whose clock lags is not lost behind the checkpoint": async (open) => {
    const world = new World();
    await (await open(world, { now: "2026-01-01T12:00:00Z" })).insert(thing("a"));
    const late = await open(world, { now: "2026-01-01T11:59:00Z" });
    await late.insert(thing("b")).catch(() => {});
    expect(ids(await late.query({ group: "g" }))).toEqual(["a", "b"]);
  },
  "two writes in the same microsecond are both kept": async (open) => {
    const world = new World();
    const now = "2026-01-01T12:00:00Z";
    await (await open(world, { now, unique: "ffff" })).insert(thing("a"));
    const other = await open(world, { now, unique: "0000" });
    await other.insert(thing("b")).catch(() => {});
    expect(ids(await other.query({ group: "g" }))).toEqual(["a", "b"]);
  },
  "recover() with nothing to replay does nothing": async (open) => {
    const subject = await open(new World());
    await subject.insert(thing("a"));
    await subject.recover();
  },
  "values that differ in case are different": async (open) => {
    const subject = await open(new World());
    await subject.insert(thing("a", { group: "Team" }));
    await subject.insert(thing("b", { group: "team" }));
    expect(ids(await subject.query({ group: "team" }))).toEqual(["b"]);
  },
  "values with different boundaries are different": async (open) => {
    const subject = await open(new World());
    await subject.insert(thing("a", { group: "x|y", kind: "z", state: "s" }));
    await subject.insert(thing("a", { group: "x", kind: "y|z", state: "s" }));
    expect(await subject.query({ state: "s" })).toHaveLength(2);
  },
  "values with the same short fingerprint are different": async (open) => {
    const subject = await open(new World());
    const states = sameFingerprint((state) => `g|k|${state}`);
    for (const state of states) await subject.insert(thing("a", { state }));
    expect(await subject.query({ group: "g" })).toHaveLength(2);
  },
  "the log grows beyond one partition": async (open) => {
    const world = new World();
    const subject = await open(world, { indexKeys: ["group"] });
    // Two inserts in one millisecond may fail, which is a different fault.
    for (let at = 0; at <= 1000; at++) {
      await subject.insert(thing(`i${at}`, { group: `g${at}` })).catch(() => {});
    }
    const entries = [...world.tables[1].values()].filter(({ rowKey }) => /\d{4}/.test(rowKey));
    expect(new Set(entries.map(({ partitionKey }) => partitionKey)).size).toBeGreaterThan(1);
  },
  "a quote in a value is an ordinary character": async (open) => {
    const subject = await open(new World());
    await subject.insert(thing("a", { group: "O'Brien" }));
    expect(ids(await subject.query({ group: "O'Brien" }))).toEqual(["a"]);
  },
  "a range of row keys keeps their case": async (open) => {
    const subject = await open(new World());
    for (const id of ["A", "B", "C"]) await subject.insert(thing(id));
    expect(ids(await subject.query({ group: "g" }, { rowFrom: "B", rowTo: "C" }))).toEqual(["B", "C"]);
  },
  "an empty filter finds every record": async (open) => {
    const subject = await open(new World());
    await subject.insert(thing("a"));
    expect(ids(await subject.query({}))).toEqual(["a"]);
  },
  "several conditions cost one lookup": async (open) => {
    const world = new World();
    const subject = await open(world);
    for (const id of ["a", "b"]) await subject.insert(thing(id));
    await subject.query({ group: "g" });
    world.requests = [];
    await subject.query({ group: "g", state: "s", kind: "k" });
    // A reader without a recheck interval also reads the log.
    expect(world.requests.length).toBeLessThanOrEqual(2);
  },
  "a record is replaced when only fields without an index changed": async (open) => {
    const subject = await open(new World());
    await subject.insert(thing("a", { note: "old" }));
    await subject.insert(thing("a", { note: "new" }));
    expect(await subject.query({ group: "g" })).toEqual([thing("a", { note: "new" })]);
  },
  "a failing index row leaves no partial record": async (open) => {
    const world = new World();
    const subject = await open(world);
    await subject.insert(thing("a"));
    let creates = 0;
    world.failing = (operation) => operation === "create" && ++creates === 3;
    await subject.insert(thing("b")).catch(() => {});
    const found = await Promise.all(keys.map((key) => subject.query({ [key]: key[0]! })));
    expect(found.map(ids)).toEqual(keys.map(() => ["a", "b"]));
  },
  "the checkpoint is not written for each entry": async (open) => {
    const world = new World();
    const dead = await open(world);
    for (let at = 0; at < 10; at++) {
      // Each writer dies once its entry is in the log.
      let appended = false;
      world.failing = (operation) => {
        const fails = appended;
        if (operation === "create") appended = true;
        return fails;
      };
      await Promise.race([dead.insert(thing(`i${at}`)).catch(() => {}), Bun.sleep(5)]);
    }
    world.failing = () => false;
    const next = await open(world);
    world.requests = [];
    await next.recover().catch(() => {});
    expect(world.requests.filter((operation) => operation === "replace").length).toBeLessThanOrEqual(2);
  },
  "the schema is locked in the storage, not in a process": async (open) => {
    const world = new World();
    await (await open(world, { now: "2026-01-01T12:00:00Z" })).insert(thing("a"));
    const other = open(world, { indexKeys: ["group"], now: "2026-01-01T12:01:00Z" }).then((subject) =>
      subject.insert(thing("b")),
    );
    expect(await other.then(() => "accepted").catch(() => "refused")).toBe("refused");
  },
};

for (const [name, check] of Object.entries(guarantees)) {
  test(name, async () => {
    await check(openOurs);
    const before = await check(openTheirs).then(
      () => "kept",
      () => "violated",
    );
    expect(`the first approach: ${before}`).toBe("the first approach: violated");
  });
}
