import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";

import { fakeKeboola } from "../fakes/keboola/mod.ts";
import {
  call,
  downloadFile,
  exportedLines,
  exportTable,
  failureOf,
  fileOf,
  pick,
  pollJob,
} from "./support.ts";

const people = Array.from({ length: 100 }, (_, at) => ({ id: String(at + 1), name: `person "${at + 1}"` }));

function project(script: Parameters<typeof fakeKeboola>[0] = {}) {
  const keboola = fakeKeboola(script);
  const host = keboola.host({ startsAt: new Date("2026-11-25T09:00:00Z") });
  const table = keboola.storage.createTable("in.c-main.people", {
    columns: ["id", "name"],
    primaryKey: ["id"],
    rows: people,
  });
  return { keboola, host, table };
}

describe("fakeKeboola() exports", () => {
  test("a table by job, file, manifest and slices without a header", async () => {
    const { keboola } = project();
    const started = await call(keboola, "/tables/in.c-main.people/export-async", {
      json: { columns: "id,name" },
    });
    expect(started.status).toBe(202);
    expect(started.body).toMatchObject({
      status: "waiting",
      tableId: "in.c-main.people",
      operationName: "tableExport",
      startTime: null,
      results: null,
    });
    expect(pick<string>(started.body, "createdTime")).toBe("2026-11-25T10:00:00+0100");
    const first = await call(keboola, pick<string>(started.body, "url"));
    expect(pick<string>(first.body, "status")).toBe("processing");
    const job = await pollJob(keboola, started.body);
    expect(job["results"]).toEqual({ cacheHit: false, file: { id: keboola.files[0]!.id } });
    const slices = await downloadFile(keboola, keboola.files[0]!.id);
    expect(slices.length).toBe(3);
    const lines = slices.flatMap((slice) => Buffer.from(slice).toString().trimEnd().split("\n"));
    expect(lines.toSorted()).toEqual(
      people.map(({ id, name }) => `"${id}","${name.replaceAll('"', '""')}"`).toSorted(),
    );
    expect(lines).not.toEqual(lines.toSorted());
  });

  test("in another order each time, and from the cache while nothing changed", async () => {
    const { keboola, table } = project();
    const first = await exportTable(keboola, table.id);
    const again = await exportTable(keboola, table.id);
    expect(again["results"]).toEqual({ ...(first["results"] as object), cacheHit: true });
    table.setMetadata([{ key: "KBC.description", value: "no data" }]);
    expect(pick<boolean>(await exportTable(keboola, table.id), "results", "cacheHit")).toBe(true);
    table.load([], { mode: "incremental" });
    const third = await exportTable(keboola, table.id);
    expect(pick<boolean>(third, "results", "cacheHit")).toBe(false);
    const texts = await Promise.all(
      [first, third].map(async (job) => Buffer.concat(await downloadFile(keboola, fileOf(job))).toString()),
    );
    expect(texts[0]).not.toBe(texts[1]!);
    expect(texts[0]!.split("\n").toSorted()).toEqual(texts[1]!.split("\n").toSorted());
  });

  test("files that live 15 days, and then another one", async () => {
    const { keboola, host, table } = project();
    const id = fileOf(await exportTable(keboola, table.id));
    host.advance(15 * 86_400_000 - 1000);
    expect((await call(keboola, `/files/${id}`)).status).toBe(200);
    expect(fileOf(await exportTable(keboola, table.id))).toBe(id);
    host.advance(1000);
    expect((await call(keboola, `/files/${id}`)).status).toBe(404);
    expect(fileOf(await exportTable(keboola, table.id))).not.toBe(id);
  });

  test("zero slices without rows, and a header in a file that is not sliced", async () => {
    const { keboola, table } = project();
    table.truncate();
    const job = await exportTable(keboola, table.id);
    expect(await downloadFile(keboola, fileOf(job))).toEqual([]);
    const whole = project({ isSliced: false });
    expect((await exportedLines(whole.keboola, whole.table.id)).length).toBe(101);
    expect(await exportedLines(whole.keboola, whole.table.id)).toContain('"id","name"');
  });

  test("slices in the order 1, 10, 2, compressed as asked, with names that may lie", async () => {
    const { keboola, table } = project({ sliceRows: 5, gzipNames: false });
    const job = await exportTable(keboola, table.id, { gzip: true });
    const names = keboola.files[0]!.slices.map((key) => /_(\d+)\.csv$/.exec(key)![1]);
    expect(names.slice(0, 4)).toEqual(["0", "1", "10", "11"]);
    const slices = await downloadFile(keboola, fileOf(job));
    expect(slices.map((slice) => gunzipSync(slice).toString().trimEnd().split("\n").length)).toEqual(
      Array.from({ length: 20 }, () => 5),
    );
    const plain = project({ gzip: false, gzipNames: true });
    const other = await exportTable(plain.keboola, plain.table.id, { gzip: true });
    expect(plain.keboola.files[0]!.slices[0]).toEndWith(".csv.gz");
    const [slice] = await downloadFile(plain.keboola, fileOf(other));
    expect(Buffer.from(slice!).toString()).toStartWith('"');
  });

  test("Parquet whose columns are all VARCHAR, or refuses it", async () => {
    const { keboola } = project();
    const typed = keboola.storage.createTable("in.c-main.typed", {
      columns: [
        { name: "id", type: "NUMBER", length: "38,0" },
        { name: "note", type: "VARCHAR" },
      ],
      rows: [{ id: "1", note: "" }, { id: "2" }],
    });
    const job = await exportTable(keboola, typed.id, { fileType: "parquet" });
    const [slice] = await downloadFile(keboola, fileOf(job));
    expect(Buffer.from(slice!.subarray(0, 4)).toString()).toBe("PAR1");
    const { parquetReadObjects, parquetMetadata } = await import("hyparquet");
    const file = Uint8Array.from(slice!).buffer;
    const rows = await parquetReadObjects({ file });
    expect(rows.toSorted((a, b) => Number(a["id"]) - Number(b["id"]))).toEqual([
      { id: "1", note: "" },
      { id: "2", note: null },
    ]);
    expect(
      parquetMetadata(file)
        .schema.slice(1)
        .map(({ type }) => type),
    ).toEqual(["BYTE_ARRAY", "BYTE_ARRAY"]);
    const refusing = project({ parquet: false });
    const answer = await call(refusing.keboola, "/tables/in.c-main.people/export-async", {
      json: { fileType: "parquet" },
    });
    expect(answer.status).toBe(400);
  });

  test("Parquet with the types of the table if the stack does so", async () => {
    const { keboola } = project({ parquetTypes: "native" });
    const columns = [
      { name: "id", type: "INT64" },
      { name: "price", type: "NUMERIC", length: "38,9" },
      { name: "day", type: "DATE" },
      { name: "at", type: "TIMESTAMP" },
      { name: "ok", type: "BOOL" },
    ];
    const row = { id: "1", price: "0.1", day: "2026-11-25", at: "2026-11-25 10:00:00", ok: "true" };
    keboola.storage.createTable("in.c-main.native", { columns, rows: [row] });
    const job = await exportTable(keboola, "in.c-main.native", { fileType: "parquet" });
    const [slice] = await downloadFile(keboola, fileOf(job));
    const { parquetSchema, parquetMetadata } = await import("hyparquet");
    const { children } = parquetSchema(parquetMetadata(Uint8Array.from(slice!).buffer));
    expect(children.map(({ element }) => element.converted_type ?? element.type)).toEqual([
      "INT_64",
      "DECIMAL",
      "DATE",
      "TIMESTAMP_MICROS",
      "BOOLEAN",
    ]);
  });

  test("files that were prepared, as they are", async () => {
    const { keboola, host } = project();
    const directory = mkdtempSync(join(tmpdir(), "agnes-prepared-"));
    const paths = ["a", "b"].map((name) => join(directory, `${name}.csv.gz`));
    for (const path of paths) writeFileSync(path, gzipSync(`"${path}"\n`));
    const prepared = { csv: paths, rowsCount: 2 };
    keboola.storage.createTable("in.c-main.large", { columns: ["path"], prepared });
    const job = await exportTable(keboola, "in.c-main.large");
    const slices = await downloadFile(keboola, fileOf(job));
    expect(slices.map((slice) => gunzipSync(slice).toString())).toEqual(paths.map((path) => `"${path}"\n`));
    const changedSince = String(host.now().getTime() / 1000 + 1);
    const none = await exportTable(keboola, "in.c-main.large", { changedSince });
    expect(await downloadFile(keboola, fileOf(none))).toEqual([]);
    const { body } = await call(keboola, "/tables/in.c-main.large");
    expect(body["rowsCount"]).toBe(2);
    rmSync(directory, { recursive: true });
  });

  test("a table that needs a filter of partitions only with one", async () => {
    const { keboola } = project({ backend: "bigquery" });
    const columns = [{ name: "day", type: "DATE" }];
    const rows = [{ day: "2026-11-25" }, { day: "2026-11-24" }];
    keboola.storage.createTable("in.c-main.parted", { columns, rows, requirePartitionFilter: true });
    const failed = await exportTable(keboola, "in.c-main.parted");
    expect(pick<string>(failed, "error", "message")).toContain("without a filter");
    const whereFilters = [{ column: "day", values: ["2026-11-24"] }];
    expect(await exportedLines(keboola, "in.c-main.parted", { whereFilters })).toEqual(["2026-11-24"]);
    const { body } = await call(keboola, "/tables/in.c-main.parted");
    expect(pick<boolean>(body, "definition", "requirePartitionFilter")).toBe(true);
  });

  test("a manifest whose entries a script rewrites", async () => {
    const { keboola, table } = project({
      entryUrl: (url, at) => (at === 0 ? "https://169.254.169.254/x" : url),
    });
    const job = await exportTable(keboola, table.id);
    expect(await failureOf(downloadFile(keboola, fileOf(job)))).toBe("fetch failed");
    expect(keboola.requests.some(({ host }) => host === "169.254.169.254")).toBe(false);
  });

  test("null as nothing and empty text in quotes, only in tables with types", async () => {
    const { keboola } = project();
    keboola.storage.createTable("in.c-main.typed", {
      columns: [
        { name: "id", type: "NUMBER" },
        { name: "note", type: "VARCHAR" },
      ],
      rows: [{ id: "1", note: "" }, { id: "2" }],
    });
    expect(await exportedLines(keboola, "in.c-main.typed")).toEqual(['1,""', "2,"]);
    keboola.storage.createTable("in.c-main.untyped", {
      columns: ["id", "note"],
      rows: [{ id: "1", note: null }],
    });
    expect(await exportedLines(keboola, "in.c-main.untyped")).toEqual(['"1",""']);
  });

  test("_timestamp as the last column, in UTC", async () => {
    const { keboola, table } = project();
    table.load(people.slice(0, 1), { mode: "truncate" });
    const lines = await exportedLines(keboola, table.id, {
      columns: "name,id",
      includeInternalTimestamp: true,
    });
    expect(lines).toEqual(['"person ""1""","1",2026-11-25 09:00:00']);
  });
});

describe("fakeKeboola() finds changes", () => {
  test("in a table of strings by rows that really changed", async () => {
    const { keboola, host, table } = project();
    host.advance(3_600_000);
    const since = String(Date.parse("2026-11-25T09:30:00Z") / 1000);
    table.load([people[0]!, { id: "2", name: "changed" }, { id: "new", name: "" }], { mode: "incremental" });
    expect(await exportedLines(keboola, table.id, { columns: "id", changedSince: since })).toEqual([
      '"2"',
      '"new"',
    ]);
    expect(
      await exportedLines(keboola, table.id, { columns: "id", changedSince: "-30 minutes", limit: 1 }),
    ).toHaveLength(1);
    expect(await exportedLines(keboola, table.id, { columns: "id", changedUntil: since })).toHaveLength(99);
  });

  test("in a table with types by every imported row, and everywhere after a truncating load", async () => {
    const { keboola, host, table } = project();
    const typed = keboola.storage.createTable("in.c-main.typed", {
      columns: [{ name: "id", type: "NUMBER" }],
      primaryKey: ["id"],
      rows: [{ id: "1" }, { id: "2" }],
    });
    host.advance(3_600_000);
    const changedSince = "2026-11-25T10:00:00+0000";
    typed.load([{ id: "1" }], { mode: "incremental" });
    expect(await exportedLines(keboola, typed.id, { changedSince })).toEqual(["1"]);
    table.load(people, { mode: "truncate" });
    expect(await exportedLines(keboola, table.id, { changedSince })).toHaveLength(100);
    table.deleteRows(({ id }) => id === "7");
    expect(await exportedLines(keboola, table.id, { changedSince })).toHaveLength(99);
    expect(table.rowsCount).toBe(99);
  });

  test("never in a table without _timestamp", async () => {
    const { keboola } = project();
    keboola.storage.createTable("in.c-main.bare", { columns: ["id"], timestampType: "NONE" });
    const answer = await call(keboola, "/tables/in.c-main.bare/export-async", {
      json: { changedSince: "1" },
    });
    expect(answer.status).toBe(400);
    expect(pick<string>(answer.body, "error")).toContain("_timestamp");
  });
});
