import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { status } from "@grpc/grpc-js";

import { Secret } from "agnes/kit";

import { openReads } from "./storage-support.ts";
import { rejection } from "./support.ts";

setDefaultTimeout(60_000);

const upTo = (count: number): number[] => Array.from({ length: count }, (_, id) => id);
const inOrder = (ids: readonly number[] | null) => ids?.toSorted((one, other) => one - other);
const unavailable = { code: status.UNAVAILABLE, message: "Connection reset" };
const expired = {
  code: status.FAILED_PRECONDITION,
  message: "there was an error operating on 's': session expired at 2026-11-27T00:06:18+00:00",
};

describe("bigquery: cut streams", () => {
  test.each([
    ["UNAVAILABLE", unavailable],
    ["INTERNAL", { code: status.INTERNAL, message: "Received RST_STREAM with code 2: EOS on DATA frame" }],
    ["RESOURCE_EXHAUSTED", { code: status.RESOURCE_EXHAUSTED, message: "Quota exceeded for reads" }],
    ["ABORTED", { code: status.ABORTED, message: "aborted" }],
    ["CANCELLED", { code: status.CANCELLED, message: "cancelled by the server" }],
  ])("with %s after every response continue behind the last whole batch", async (_name, error) => {
    await using reads = await openReads(305, { cut: (_read, response) => (response === 1 ? error : null) });
    expect(inOrder(await reads.ids())).toEqual(upTo(305));
    const own = reads.storage.reads.filter(({ stream }) => stream.endsWith("/0"));
    expect(own.map(({ offset }) => offset)).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 102]);
    expect(reads.storage.sessions).toHaveLength(1);
  });

  test("before the first response and after the last lose and repeat nothing", async () => {
    await using reads = await openReads(40, {
      streams: 1,
      cut: ({ attempt }, response) => (attempt <= 2 && response % 4 === 0 ? unavailable : null),
    });
    expect(await reads.ids()).toEqual(upTo(40));
    // The second read ends after the last row, and the third begins there.
    expect(reads.storage.reads.map(({ offset }) => offset)).toEqual([0, 0, 0]);
  });

  test("at the end are continued there, where no row is left", async () => {
    await using reads = await openReads(40, {
      streams: 1,
      cut: ({ attempt }, response) => (attempt === 1 && response === 4 ? unavailable : null),
    });
    expect(await reads.ids()).toEqual(upTo(40));
    expect(reads.storage.reads.map(({ offset }) => offset)).toEqual([0, 40]);
  });

  test("without an error lose nothing", async () => {
    await using reads = await openReads(40, {
      streams: 1,
      cut: ({ attempt }, response) => (attempt < 3 && response === 1 ? "end" : null),
    });
    expect(await reads.ids()).toEqual(upTo(40));
    expect(reads.storage.reads.map(({ offset }) => offset)).toEqual([0, 10, 20]);
  });

  test("that make no progress fail after seven attempts, with growing pauses", async () => {
    await using reads = await openReads(5, { cut: () => unavailable });
    expect(await rejection(reads.ids())).toMatchObject({
      code: "bigquery/unavailable",
      details: { what: "table shop.t", reason: "Connection reset" },
      retry: "transient",
    });
    const own = reads.storage.reads.filter(({ stream }) => stream.endsWith("/0"));
    expect(own).toHaveLength(7);
    expect(Math.max(...reads.pauses)).toBe(20_000);
  });

  test("whose quota stays used up fail with that", async () => {
    const error = { code: status.RESOURCE_EXHAUSTED, message: "Quota exceeded" };
    await using reads = await openReads(5, { cut: () => error });
    expect(await rejection(reads.ids())).toMatchObject({ code: "bigquery/quota_exceeded" });
  });

  test("that begin again, as those of emulators do, are an error and not duplicates", async () => {
    await using reads = await openReads(40, {
      streams: 1,
      ignoresOffset: true,
      cut: ({ attempt }, response) => (attempt === 1 && response === 2 ? unavailable : null),
    });
    expect(await rejection(reads.ids())).toMatchObject({
      code: "bigquery/unavailable",
      details: { reason: "its stream began again; rows read before: 20" },
    });
  });

  test("whose offset the service rejects are an error", async () => {
    const wrong = { code: status.FAILED_PRECONDITION, message: "offset 20 has not been allocated yet" };
    await using reads = await openReads(40, {
      streams: 1,
      cut: ({ attempt }, response) => (attempt === 2 ? wrong : response === 2 ? unavailable : null),
    });
    expect(await rejection(reads.ids())).toMatchObject({
      code: "bigquery/request_refused",
      details: { reason: "offset 20 has not been allocated yet" },
    });
  });

  test("a response whose number of rows is wrong is an error, because it is the next offset", async () => {
    await using reads = await openReads(5, { rowCountError: 1, streams: 1 });
    expect(await rejection(reads.ids())).toMatchObject({
      code: "bigquery/unavailable",
      details: { reason: "a response has another number of rows than it reports: 5, not 6" },
    });
  });
});

describe("bigquery: silent streams", () => {
  test("are cut and continued", async () => {
    await using reads = await openReads(
      40,
      { cut: ({ attempt }, response) => (attempt === 1 && response === 1 ? "silent" : null) },
      { idleMs: 200 },
    );
    expect(inOrder(await reads.ids())).toEqual(upTo(40));
    expect(new Set(reads.storage.reads.map(({ offset }) => offset))).toEqual(new Set([0, 10]));
  });

  test("that stay silent fail", async () => {
    await using reads = await openReads(5, { cut: () => "silent" }, { idleMs: 30 });
    expect(await rejection(reads.ids())).toMatchObject({
      code: "bigquery/unavailable",
      details: { reason: "no response within 30 ms" },
    });
  });

  test("stop when the caller does", async () => {
    await using reads = await openReads(40, { cut: (_read, response) => (response === 1 ? "silent" : null) });
    const controller = new AbortController();
    // By then each stream waits for its second response.
    const onBatch = () => setTimeout(() => controller.abort(), 100);
    const error = await rejection(reads.ids({ signal: controller.signal, onBatch }));
    expect(error).toMatchObject({ code: "aborted" });
    // The server learns it at once, not when the stream would be cut.
    const deadlineMs = Date.now() + 5000;
    while (reads.storage.openReads() > 0 && Date.now() < deadlineMs) await Bun.sleep(5);
    expect(reads.storage.openReads()).toBe(0);
  });
});

describe("bigquery: expired sessions", () => {
  test("of which no row was handed on are replaced", async () => {
    await using reads = await openReads(40, {
      cut: ({ stream }) => (stream.includes("/s1/") ? expired : null),
    });
    expect(inOrder(await reads.ids())).toEqual(upTo(40));
    expect(reads.storage.sessions).toHaveLength(2);
  });

  test("of which rows were handed on end the read, because other streams have other rows", async () => {
    await using reads = await openReads(40, {
      streams: 1,
      cut: (_read, response) => (response === 2 ? expired : null),
    });
    expect(await rejection(reads.ids())).toMatchObject({
      code: "read_expired",
      details: { what: "table shop.t", rows: 20 },
      retry: "transient",
    });
    expect(reads.storage.sessions).toHaveLength(1);
  });

  test("are not replaced for ever", async () => {
    await using reads = await openReads(40, { cut: () => expired });
    expect(await rejection(reads.ids())).toMatchObject({ code: "read_expired" });
    expect(reads.storage.sessions).toHaveLength(3);
  });
});

describe("bigquery: sessions that are not created", () => {
  test.each([
    ["INVALID_ARGUMENT", "non-table entities cannot be read with the storage API"],
    ["FAILED_PRECONDITION", "the table has a storage format that is not supported"],
    ["UNIMPLEMENTED", "unknown service"],
    ["NOT_FOUND", "Not found: Table"],
  ] as const)("because of %s leave the table to a job, and only this one", async (code, message) => {
    await using reads = await openReads(5, { sessionErrors: [{ code: status[code], message }] });
    expect(await reads.ids()).toBeNull();
    expect(inOrder(await reads.ids())).toEqual(upTo(5));
  });

  test("because the permission is missing leave all tables to jobs", async () => {
    const message =
      "request failed: the user does not have 'bigquery.readsessions.create' permission for 'p'";
    await using reads = await openReads(5, { sessionErrors: [{ code: status.PERMISSION_DENIED, message }] });
    expect([await reads.ids(), await reads.ids()]).toEqual([null, null]);
    expect(reads.storage.sessions).toHaveLength(1);
    expect(reads.log.entries.map((entry) => entry.message).join()).toContain(message);
  });

  test("because the service is busy are requested again", async () => {
    const busy = { code: status.RESOURCE_EXHAUSTED, message: "Quota exceeded for sessions" };
    await using reads = await openReads(5, { sessionErrors: [busy, unavailable, busy] });
    expect(inOrder(await reads.ids())).toEqual(upTo(5));
    expect(reads.pauses).toEqual([1000, 2000, 4000]);
  });

  test("because the service is not there fail", async () => {
    await using reads = await openReads(5);
    await reads.storage[Symbol.asyncDispose]();
    expect(await rejection(reads.ids())).toMatchObject({ code: "bigquery/unavailable" });
  });
});

describe("bigquery: conditions that the service rejects", () => {
  test("when the session is created leave the table to a job", async () => {
    await using reads = await openReads(5, { rejects: /ST_/ });
    expect(await reads.ids({ restriction: "ST_X(`id`) > 1" })).toBeNull();
    expect(reads.storage.reads).toEqual([]);
  });

  test("when its first rows are read leave the table to a job", async () => {
    const error = { code: status.INVALID_ARGUMENT, message: "too complex to be processed in filtering" };
    await using reads = await openReads(5, { cut: () => error });
    expect(await reads.ids()).toBeNull();
  });

  test("after rows were handed on are an error", async () => {
    const error = { code: status.INVALID_ARGUMENT, message: "too complex" };
    await using reads = await openReads(40, { streams: 1, cut: (_read, at) => (at === 1 ? error : null) });
    expect(await rejection(reads.ids())).toMatchObject({
      code: "bigquery/request_refused",
      details: { reason: "too complex" },
    });
  });

  test("because they are too long are not sent", async () => {
    await using reads = await openReads(5);
    expect(await reads.ids({ restriction: `id IN (${"1, ".repeat(400_000)}1)` })).toBeNull();
    expect(reads.storage.sessions).toEqual([]);
  });
});

describe("bigquery: bytes of sessions", () => {
  test("an estimate above the limit reads nothing", async () => {
    await using reads = await openReads(40, { estimatedBytes: 1001 });
    expect(await rejection(reads.ids({ limitBytes: 1000 }))).toMatchObject({
      code: "bigquery/scan_too_large",
      details: { scannedBytes: 1001, limitBytes: 1000, tables: ["shop-1.shop.t"] },
    });
    expect(reads.storage.reads).toEqual([]);
  });

  test("an estimate that is not sent reads nothing", async () => {
    await using reads = await openReads(40, { estimatedBytes: 0 });
    expect(await rejection(reads.ids())).toMatchObject({ code: "bigquery/estimate_unknown" });
    expect(reads.storage.reads).toEqual([]);
  });

  test("more bytes than estimated stop the read at the limit", async () => {
    await using reads = await openReads(4000, { estimatedBytes: 100, batchRows: 100, streams: 1 });
    expect(await rejection(reads.ids({ limitBytes: 5000 }))).toMatchObject({
      code: "bigquery/scan_too_large",
      details: { scannedBytes: null, limitBytes: 5000 },
    });
  });

  test("a session without streams has no rows, regardless of its estimate", async () => {
    await using reads = await openReads(0, { estimatedBytes: 0 });
    expect(await reads.ids()).toEqual([]);
  });
});

describe("bigquery: tokens of sessions", () => {
  const tokens = () => {
    let issued = 0;
    const bearer = async ({ rejected }: { readonly rejected: boolean }) => {
      if (rejected) issued += 1;
      return new Secret("TOKEN", `token-${issued}`);
    };
    return bearer;
  };

  test("are sent with each call, and renewed once if they are rejected", async () => {
    const accepts = (token: string | undefined) => token === "token-1";
    await using reads = await openReads(5, { streams: 1 }, { bearer: tokens(), accepts });
    expect(inOrder(await reads.ids())).toEqual(upTo(5));
    expect(reads.storage.sessions).toHaveLength(2);
    expect(reads.storage.reads.map(({ token }) => token)).toEqual(["token-1"]);
  });

  test("that stay rejected are an error", async () => {
    await using reads = await openReads(5, {}, { bearer: tokens(), accepts: () => false });
    expect(await rejection(reads.ids())).toMatchObject({
      code: "bigquery/token_rejected",
      details: { origin: "a test" },
    });
    expect(reads.storage.sessions).toHaveLength(2);
  });
});
