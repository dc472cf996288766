import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { AgnesError, nodeFiles } from "../../lib/base/mod.ts";
import { extractSource, readExtract } from "../../lib/extract/mod.ts";
import type { AnyConnector, ReadOptions, Row } from "../../lib/kit/mod.ts";
import { batches, openCensus, plan, rows, type Batches } from "./census-source.ts";
import { sourceOf, type Bench } from "./harness.ts";
import { steppedFiles } from "./stepped-files.ts";

const without = (all: readonly Row[], ...ids: number[]) => all.filter(({ id }) => !ids.includes(Number(id)));

/** The parts of failed and successful reads that are not published. */
async function temporaryFiles({ directory }: Bench): Promise<readonly string[]> {
  return (await readdir(join(directory, "data", "t"))).filter((name) => name.includes(".tmp"));
}

describe("the key census of extractSource()", () => {
  for (const strategy of ["incremental", "partitioned"] as const) {
    test(`deletes published rows that the source no longer has (${strategy})`, async () => {
      const of = { ...plan, strategy, ...(strategy === "partitioned" ? { partitionBy: "v" } : {}) };
      await using census = await openCensus();
      const { source } = census;
      await census.sync(of);
      source.rows = [...without(source.rows, 1, 3), ...rows(10, 12, 100)];
      const { fullKeysMs: _, ...off } = of;
      census.advance(8);
      const [without_] = (await census.sync(off)).tables;
      expect(without_).toMatchObject({ rowsDeleted: 0, rows: 7 });
      expect(await census.ids()).toBe("0 1 2 3 4 10 11");
      const [stats] = (await census.sync(of)).tables;
      expect(stats).toMatchObject({ status: "extracted", full: false, rowsDeleted: 2, rows: 5 });
      expect(stats!.notes).toEqual(["key census: 2 published rows were not in the source and were deleted"]);
      expect(await census.ids()).toBe("0 2 4 10 11");
      expect(source.reads).toEqual(["whole", "delta", "keys", "delta"]);
      expect(source.keyOptions[0]!.columns).toEqual(["id"]);
      expect(await temporaryFiles(census.bench)).toEqual([]);
    });
  }

  test("reads only the key, without state, cursor and conditions, in a folder of its own", async () => {
    await using census = await openCensus();
    const { source, bench } = census;
    source.delta = ({ state }) => {
      expect(state).toBe("s");
      return batches([], { state: "s" });
    };
    await bench.run([plan], () => batches([source.rows], { state: "s" }));
    census.advance(8);
    await census.sync();
    const [options] = source.keyOptions;
    expect(Object.keys(options!).sort()).toEqual([
      "batchRows",
      "columns",
      "directory",
      "onJob",
      "onProgress",
      "signal",
    ]);
    expect(options!.columns).toEqual(["id"]);
    expect(options!.directory).toBe(join(bench.directory, "reads", "t.keys"));
    expect((await readExtract(bench.services.host.files, bench.directory))!.tables[0]!.state).toBe("s");
  });

  test("is due after the interval since the last one or the last full read", async () => {
    await using census = await openCensus();
    const { source } = census;
    const kinds = async (days: number, options = {}) => {
      census.advance(days);
      source.reads.length = 0;
      await census.bench.run([plan], alwaysWhole(census), options);
      return source.reads.join(" ");
    };
    const alwaysWhole = ({ source: of }: typeof census) =>
      ({
        async *read(_, { isDelta, columns }) {
          of.reads.push(isDelta === true ? "delta" : columns === undefined ? "whole" : "keys");
          yield isDelta === true ? [] : of.rows;
        },
      }) as AnyConnector;
    expect(await kinds(0)).toBe("whole");
    expect(await kinds(6)).toBe("delta");
    expect(await kinds(1)).toBe("keys delta");
    expect(await kinds(6)).toBe("delta");
    expect(await kinds(0, { full: true })).toBe("whole");
    expect(await kinds(6)).toBe("delta");
    expect(await kinds(1)).toBe("keys delta");
    // The clock was wrong at the last census.
    expect(await kinds(-3)).toBe("keys delta");
  });

  test("takes the first census of a table at the next sync", async () => {
    await using census = await openCensus();
    const { fullKeysMs: _, ...off } = plan;
    await census.sync(off);
    census.source.rows = without(census.source.rows, 2);
    await census.sync();
    expect(await census.ids()).toBe("0 1 3 4");
  });

  test("keeps a row that was deleted and inserted again before the read", async () => {
    await using census = await openCensus();
    const { source } = census;
    await census.sync();
    census.advance(8);
    source.keys = () => batches([without(source.rows, 1, 2)]);
    source.delta = () => batches([[{ id: 1, v: "again", at: 50 }]]);
    const [stats] = (await census.sync()).tables;
    expect(stats!.rowsDeleted).toBe(1);
    expect(await census.bench.rows("SELECT v FROM t WHERE id = 1")).toEqual([{ v: "again" }]);
    expect(await census.ids()).toBe("0 1 3 4");
  });

  test("publishes deletions when the incremental read is unchanged, with its state", async () => {
    await using census = await openCensus();
    const { source, bench } = census;
    await bench.run([plan], () => batches([source.rows], { state: 1 }));
    census.advance(8);
    source.rows = without(source.rows, 4);
    source.delta = () => batches([], { unchanged: true, state: 2, tableRows: 77 });
    const [stats] = (await census.sync()).tables;
    expect(stats).toMatchObject({ status: "extracted", rowsDeleted: 1, full: false });
    expect(await census.ids()).toBe("0 1 2 3");
    source.delta = ({ state }) => {
      expect(state).toBe(2);
      return batches([], { unchanged: true });
    };
    expect((await census.sync()).errors).toEqual([]);
  });

  test("compares the number of rows of its read if the incremental read is unchanged", async () => {
    await using census = await openCensus();
    const { source } = census;
    await census.sync();
    census.advance(8);
    source.rows = [...without(source.rows, 1), { id: 9, v: "missed", at: 0 }];
    source.keys = () => batches([source.rows], { tableRows: 5 });
    source.delta = () => batches([], { unchanged: true });
    const [stats] = (await census.sync()).tables;
    expect(stats!.notes.join()).toContain("its source reports 5 rows, but it has 4 after the read");
    expect(stats).toMatchObject({ full: true, rows: 5 });
    expect(await census.ids()).toBe("0 2 3 4 9");
  });

  test("publishes nothing if no row is gone, and remembers the census", async () => {
    await using census = await openCensus();
    const { source } = census;
    await census.sync();
    census.advance(8);
    for (const delta of [undefined, () => batches([], { unchanged: true })]) {
      census.advance(8);
      if (delta !== undefined) source.delta = delta;
      const stats = await census.sync();
      expect(stats.published).toBe(false);
      expect(stats.tables[0]!.notes).toEqual(["key census: all published rows are in the source"]);
      source.reads.length = 0;
      await census.sync();
      expect(source.reads).toEqual(["delta"]);
    }
  });

  test("ignores its deletions if the incremental read returns the whole table", async () => {
    await using census = await openCensus();
    const { source, bench } = census;
    await bench.run([plan], () => batches([rows(0, 4).map((row) => ({ ...row, at: null }))], { state: 1 }));
    census.advance(8);
    source.rows = rows(2, 6);
    source.delta = () => batches([source.rows], { isWhole: true, state: 1 });
    const [stats] = (await census.sync()).tables;
    expect(stats).toMatchObject({ full: true, rows: 4, notes: [] });
    expect(await temporaryFiles(bench)).toEqual([]);
  });

  test("fails the table if the keys cannot be read, and is repeated after any failure", async () => {
    await using census = await openCensus();
    const { source } = census;
    await census.sync();
    census.advance(8);
    source.rows = without(source.rows, 1);
    source.keys = function* () {
      yield [{ id: 0 }];
      throw new Error("connection reset");
    };
    const failed = await census.sync();
    expect(failed.errors[0]!.error).toMatchObject({ code: "table_read_failed" });
    expect(await census.ids()).toBe("0 1 2 3 4");
    delete source.keys;
    source.delta = () => {
      throw new Error("read failed after the census");
    };
    expect((await census.sync()).tablesFailed).toBe(1);
    expect(await census.ids()).toBe("0 1 2 3 4");
    expect(await temporaryFiles(census.bench)).toEqual([]);
    delete source.delta;
    source.reads.length = 0;
    expect((await census.sync()).tables[0]!.rowsDeleted).toBe(1);
    expect(source.reads).toEqual(["keys", "delta"]);
    expect(await census.ids()).toBe("0 2 3 4");
  });

  test("publishes its deletions with the rows of the read, or nothing, when the run dies at any step", async () => {
    await using census = await openCensus();
    const { source, bench, connector } = census;
    const { directory } = bench;
    await census.sync();
    census.advance(8);
    source.rows = [...without(source.rows, 1, 3), ...rows(10, 12, 100)];
    let step = 0;
    for (let death = 1; ; death++) {
      step = 0;
      const files = steppedFiles(nodeFiles(), () => {
        step += 1;
        if (step >= death) throw new Error(`dead since step ${death}`);
      });
      const services = { ...bench.services, host: { ...bench.services.host, files } };
      await extractSource(services, { directory, source: sourceOf(connector), tables: [plan] }).catch(
        () => {},
      );
      const ids = await census.ids();
      if (ids !== "0 1 2 3 4") break;
      expect(step).toBeGreaterThanOrEqual(death);
    }
    expect(await census.ids()).toBe("0 2 4 10 11");
    source.reads.length = 0;
    await census.sync();
    expect(source.reads).toEqual(["delta"]);
    expect(await temporaryFiles(bench)).toEqual([]);
  });

  test("keeps the folder of its read until the table is published", async () => {
    await using census = await openCensus();
    const { source, bench } = census;
    const folder = join(bench.directory, "reads", "t.keys");
    await census.sync();
    census.advance(8);
    source.keys = function* ({ directory }) {
      if (!existsSync(directory!)) {
        mkdirSync(directory!, { recursive: true });
        throw new Error("stopped");
      }
      yield source.rows;
    };
    expect((await census.sync()).tablesFailed).toBe(1);
    expect(existsSync(folder)).toBe(true);
    expect((await census.sync()).tablesFailed).toBe(0);
    expect(existsSync(folder)).toBe(false);
  });

  test("reads the whole table if the keys may not be complete", async () => {
    const doubtful: readonly (readonly [reason: string, keys: () => Batches])[] = [
      ["its source listed no keys", () => batches([])],
      ["its source did not list all of its keys", () => batches([], { unchanged: true })],
      ["its source did not list all of its keys", () => batches([rows(0, 2)], { kept: [] })],
      ["its source reports 4 rows, but listed 3 keys", () => batches([rows(0, 3)], { tableRows: 4 })],
    ];
    for (const [reason, keys] of doubtful) {
      await using census = await openCensus();
      const { source } = census;
      await census.sync();
      census.advance(8);
      source.keys = keys;
      source.rows = without(source.rows, 4);
      const [stats] = (await census.sync()).tables;
      expect(stats!.notes).toEqual([`${reason}, so the table was read in full`]);
      expect(await census.ids()).toBe("0 1 2 3");
      expect(source.reads).toEqual(["whole", "keys", "whole"]);
      expect(await temporaryFiles(census.bench)).toEqual([]);
      source.reads.length = 0;
      await census.sync();
      expect(source.reads).toEqual(["delta"]);
    }
  });

  test("empties a table only after a full read found it empty", async () => {
    await using census = await openCensus();
    const { source } = census;
    await census.sync();
    census.advance(8);
    source.rows = [];
    source.end = { state: 1 };
    expect((await census.sync()).tables[0]).toMatchObject({ rows: 0, full: true });
    // An empty table needs no census.
    census.advance(8);
    source.reads.length = 0;
    await census.sync();
    expect(source.reads).toEqual(["delta"]);
  });

  test("is taken again, and leaves no file, if the source ended the read of the rows", async () => {
    await using census = await openCensus();
    const { source, bench } = census;
    await census.sync();
    source.rows = without(source.rows, 1);
    source.delta = () => {
      delete source.delta;
      throw new AgnesError("read_expired", { what: "table t", rows: 0, reason: "the session expired" });
    };
    census.advance(8);
    const [stats] = (await census.sync()).tables;
    expect(stats).toMatchObject({ status: "extracted", rowsDeleted: 1, rows: 4 });
    expect(source.reads).toEqual(["whole", "keys", "delta", "keys", "delta"]);
    expect(await temporaryFiles(bench)).toEqual([]);
  });

  test("is not taken without a primary key, and for rows that are tracked by file", async () => {
    await using census = await openCensus();
    const { source, bench } = census;
    const keyless = { ...plan, primaryKey: [] };
    await census.sync(keyless);
    census.advance(8);
    const [stats] = (await census.sync(keyless)).tables;
    expect(stats!.notes.join()).toContain("key census: it has no primary key, so none is made");
    const path = join(bench.root, "t.csv");
    await writeFile(path, "id,v,at\n1,x,1\n");
    const file = { kind: "file", format: "csv", data: path, origin: "t.csv" } as const;
    const byFile = { ...plan, id: "crm.f", name: "f" };
    const read = (_: unknown, { columns }: ReadOptions) => {
      expect(columns).toBeUndefined();
      return batches([file], { state: 1 });
    };
    await bench.run([byFile], read);
    census.advance(8);
    const again = await bench.run([byFile], read);
    expect(again.errors).toEqual([]);
    expect(again.tables[0]!.notes.join()).toContain("tracked by file");
    expect(source.reads).not.toContain("keys");
  });
});
