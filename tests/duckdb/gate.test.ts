import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";

import { Gate, poolGate } from "../../lib/duckdb/gate.ts";
import { open, rejection } from "./support.ts";

/** Runs all pending microtasks. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

/** Takes places one after the other and returns which of them are inside. */
function visitors(gate: Gate, count: number) {
  const places = Array.from({ length: count }, (_, index) => gate.place(`visitor ${index}`));
  const inside = new Set<number>();
  return {
    places,
    inside: async () => {
      await settle();
      return [...inside].toSorted((a, b) => a - b);
    },
    acquire: (index: number, signal?: AbortSignal) =>
      places[index]!.acquire(signal).then(() => void inside.add(index)),
    release: (index: number) => {
      places[index]!.release();
      inside.delete(index);
    },
  };
}

describe("Gate", () => {
  test("admits as much work as its capacity, and the longest waiting one when a place is released", async () => {
    const { acquire, release, inside } = visitors(new Gate(2), 6);
    for (let index = 0; index < 6; index += 1) void acquire(index);
    expect(await inside()).toEqual([0, 1]);
    release(1);
    expect(await inside()).toEqual([0, 2]);
    release(0);
    expect(await inside()).toEqual([2, 3]);
    for (const index of [2, 3]) release(index);
    expect(await inside()).toEqual([4, 5]);
    for (const index of [4, 5]) release(index);
    expect(await inside()).toEqual([]);
    for (const index of [3, 1, 0]) void acquire(index);
    expect(await inside()).toEqual([1, 3]);
    release(3);
    expect(await inside()).toEqual([0, 1]);
  });

  test("counts a place once when it is acquired and released repeatedly", async () => {
    const { acquire, release, inside, places } = visitors(new Gate(1), 3);
    await acquire(0);
    await places[0]!.acquire();
    void acquire(1);
    void acquire(2);
    places[2]!.release();
    expect(await inside()).toEqual([0]);
    release(0);
    places[0]!.release();
    places[0]!.release();
    expect(await inside()).toEqual([1]);
    release(1);
    expect(await inside()).toEqual([2]);
    void acquire(0);
    expect(await inside()).toEqual([2]);
  });

  test("does not admit aborted work, before or while waiting, and keeps the order of the others", async () => {
    const { acquire, release, inside } = visitors(new Gate(1), 5);
    expect((await rejection(acquire(4, AbortSignal.abort()))).code).toBe("aborted");
    await acquire(0);
    const controllers = [new AbortController(), new AbortController()];
    const [first, second] = [acquire(1, controllers[0]!.signal), acquire(2)];
    const third = acquire(3, controllers[1]!.signal);
    controllers[1]!.abort();
    expect((await rejection(third)).code).toBe("aborted");
    controllers[0]!.abort();
    expect((await rejection(first)).code).toBe("aborted");
    release(0);
    await second;
    expect(await inside()).toEqual([2]);
    release(2);
    await acquire(4);
    expect(await inside()).toEqual([4]);
  });

  test("keeps the place of admitted work when its signal aborts afterwards", async () => {
    const { acquire, release, inside } = visitors(new Gate(1), 4);
    const controller = new AbortController();
    await acquire(0);
    const [next, last] = [acquire(1, controller.signal), acquire(2)];
    release(0);
    await next;
    void acquire(3);
    controller.abort();
    expect(await inside()).toEqual([1]);
    release(1);
    await last;
    release(2);
    expect(await inside()).toEqual([3]);
  });
});

describe("Gate with a reserve", () => {
  /** Takes a place for quick work and returns a function that releases it, once it is inside. */
  const quick = (gate: Gate, entered: string[], name: string, signal?: AbortSignal) => {
    const place = gate.place(name);
    const entering = place.acquire(signal, { isQuick: true }).then(() => void entered.push(name));
    return { release: () => place.release(), entering };
  };

  test("admits quick work to the reserve, past other work, and never the other work", async () => {
    const gate = new Gate(1, { reserve: 1 });
    const { acquire, release, inside } = visitors(gate, 3);
    await acquire(0);
    void acquire(1);
    const entered: string[] = [];
    const [a, b] = [quick(gate, entered, "a"), quick(gate, entered, "b")];
    expect(await inside()).toEqual([0]);
    expect(entered).toEqual(["a"]);
    a.release();
    expect(await inside()).toEqual([0]);
    expect(entered).toEqual(["a", "b"]);
    b.release();
    expect(await inside()).toEqual([0]);
    release(0);
    expect(await inside()).toEqual([1]);
  });

  test("admits other work in its turn, however much quick work there is", async () => {
    const gate = new Gate(1, { reserve: 1 });
    const entered: string[] = [];
    const [a, b] = [quick(gate, entered, "a"), quick(gate, entered, "b")];
    await b.entering;
    const { acquire, release, inside } = visitors(gate, 1);
    void acquire(0);
    quick(gate, entered, "c");
    const d = quick(gate, entered, "d");
    b.release();
    expect(await inside()).toEqual([]);
    expect(entered).toEqual(["a", "b", "c"]);
    a.release();
    expect(await inside()).toEqual([0]);
    expect(entered).toEqual(["a", "b", "c"]);
    release(0);
    await d.entering;
    expect(entered).toEqual(["a", "b", "c", "d"]);
  });

  test("is closed while a call is lost, also when that is a quick one", async () => {
    const gate = new Gate(2, { reserve: 1, lostMs: 0 });
    const entered: string[] = [];
    const { acquire, release, inside } = visitors(gate, 4);
    for (const index of [0, 1]) await acquire(index);
    const stop = new AbortController();
    const lost = quick(gate, entered, "lost", stop.signal);
    await lost.entering;
    stop.abort();
    await new Promise((resolve) => setTimeout(resolve, 0));
    quick(gate, entered, "next");
    void acquire(2);
    expect([await inside(), entered]).toEqual([[0, 1], ["lost"]]);
    release(0);
    expect([await inside(), entered]).toEqual([[1], ["lost"]]);
    lost.release();
    expect([await inside(), entered]).toEqual([[1], ["lost", "next"]]);
    release(1);
    expect(await inside()).toEqual([2]);
  });
});

describe("Gate with work that cannot be stopped", () => {
  /** Places whose holders continue after the abort. */
  async function hold(gate: Gate, count: number) {
    const controller = new AbortController();
    const places = Array.from({ length: count }, (_, index) => gate.place(`lost ${index}`));
    for (const place of places) await place.acquire(controller.signal);
    // A timer of the same length that is set later fires later.
    const lose = async () => {
      controller.abort();
      await new Promise((resolve) => setTimeout(resolve, 0));
    };
    return { places, lose };
  }

  test("admits only as much work as there are threads left, but at least one", async () => {
    const gate = new Gate(3, { lostMs: 0 });
    const { places, lose } = await hold(gate, 2);
    const { acquire, release, inside } = visitors(gate, 3);
    for (const index of [0, 1, 2]) void acquire(index);
    expect(await inside()).toEqual([0]);
    await lose();
    expect(await inside()).toEqual([0]);
    release(0);
    expect(await inside()).toEqual([1]);
    places[0]!.release();
    expect(await inside()).toEqual([1, 2]);
    places[1]!.release();
    void acquire(0);
    expect(await inside()).toEqual([0, 1, 2]);
  });

  test("counts lost work that had left its place, and reports it separately", async () => {
    const gate = new Gate(2, { lostMs: 0, lostMax: 2 });
    const { places, lose } = await hold(gate, 2);
    const { acquire, release, inside } = visitors(gate, 3);
    places[0]!.suspend();
    places[0]!.suspend();
    await acquire(0);
    void acquire(1);
    expect(await inside()).toEqual([0]);
    release(0);
    expect(await inside()).toEqual([1]);
    release(1);
    await lose();
    expect((await rejection(acquire(2))).message).toEndWith(
      "2 uninterruptible DuckDB calls occupy the threads of this process; 1 of them waits for a remote system",
    );
    places[0]!.release();
    await acquire(2);
    void acquire(0);
    expect(await inside()).toEqual([2]);
    places[1]!.release();
    expect(await inside()).toEqual([0, 2]);
  });

  test("does not count work that has left its place and ends in time", async () => {
    const gate = new Gate(1, { lostMs: 0, lostMax: 1 });
    const { places, lose } = await hold(gate, 1);
    places[0]!.suspend();
    places[0]!.release();
    await lose();
    const { acquire, inside } = visitors(gate, 2);
    void acquire(0);
    void acquire(1);
    expect(await inside()).toEqual([0]);
  });

  test("rejects new and waiting work at the limit of lost work, except with waitsAlways", async () => {
    const gate = new Gate(2, { lostMs: 0, lostMax: 2 });
    const { places, lose } = await hold(gate, 2);
    const { acquire, inside } = visitors(gate, 2);
    const unlimited = gate.place("unlimited");
    const waiting = rejection(acquire(0));
    const entered = unlimited.acquire(undefined, { waitsAlways: true });
    await lose();
    const refused = await waiting;
    expect([refused.code, refused.message]).toEqual([
      "duckdb_stuck",
      "visitor 0 cannot run: 2 uninterruptible DuckDB calls occupy the threads of this process",
    ]);
    expect((await rejection(acquire(1))).code).toBe("duckdb_stuck");
    expect(() => gate.rejectWhenStuck("it")).toThrow("it cannot run");
    await entered;
    unlimited.release();
    places[0]!.release();
    await acquire(1);
    expect(await inside()).toEqual([1]);
  });
});

describe("poolGate", () => {
  let directory: string;
  let built: string;
  const program = `import { poolGate } from ${JSON.stringify(join(import.meta.dir, "../../lib/duckdb/gate.ts"))};
console.log(poolGate.capacity);`;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "agnes-gate-"));
    const entry = join(directory, "capacity.ts");
    writeFileSync(entry, program);
    const { outputs } = await Bun.build({ entrypoints: [entry], target: "node", outdir: directory });
    built = outputs[0]!.path;
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  const capacityOf = (command: string, threads?: string): number => {
    const { UV_THREADPOOL_SIZE: _ours, ...env } = process.env;
    const own = threads === undefined ? env : { ...env, UV_THREADPOOL_SIZE: threads };
    return Number(execFileSync(command, [built], { encoding: "utf8", env: own }));
  };

  test("reserves one thread of the pool for the file system, in Node.js and in Bun", () => {
    const found = Object.fromEntries(
      [undefined, "0", "many", "1", "2", "5", "9999"].map((threads) => [
        String(threads),
        capacityOf("node", threads),
      ]),
    );
    expect(found).toEqual({ undefined: 3, "0": 3, many: 3, "1": 1, "2": 1, "5": 4, "9999": 1023 });
    expect(capacityOf(process.execPath, "5")).toBe(4);
    expect(capacityOf(process.execPath)).toBe(Math.max(1, availableParallelism() - 1));
  });

  test("is taken by queries, by each batch of a stream and by stopping a stream", async () => {
    await using session = await open();
    const { connection } = session;
    const places = Array.from({ length: poolGate.capacity }, () => poolGate.place("the test"));
    // Earlier waiting work gets the released place first; a query takes longer than settling.
    const stateBehind = async (work: () => Promise<unknown>): Promise<string> => {
      for (const place of places) await place.acquire();
      const running = work();
      await settle();
      const behind = poolGate.place("behind");
      let isInside = false;
      const entered = behind.acquire().then(() => (isInside = true));
      places[0]!.release();
      await settle();
      const state = isInside ? "passed by" : "waited";
      await Promise.all([running, entered]);
      behind.release();
      for (const place of places) place.release();
      return state;
    };
    expect(await stateBehind(() => connection.rows("SELECT 1 AS one"))).toBe("waited");
    const { batches } = await connection.stream("SELECT * FROM range(100000)");
    const reader = batches[Symbol.asyncIterator]();
    expect(await stateBehind(() => reader.next())).toBe("waited");
    expect(await stateBehind(async () => reader.return?.())).toBe("waited");
  });
});
