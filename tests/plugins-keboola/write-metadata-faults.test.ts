import { describe, expect, test } from "bun:test";

import { columnsOf, ORDERS, outcomes, projectWith, write } from "./metadata.ts";
import { rejection } from "./support.ts";

describe("keboola: writeMetadata()", () => {
  test("removes the length of an earlier type, also after a failed run, and no length of others", async () => {
    const length = { key: "KBC.datatype.length", value: "20" };
    const keboola = projectWith({
      columnMetadata: { amount: [{ ...length, provider: "keboola.ex-db-mysql" }] },
    });
    const lengths = () =>
      keboola.storage
        .table(ORDERS)
        .columnMetadata.get("amount")!
        .filter(({ key }) => key === length.key)
        .map(({ provider, value }) => [provider, value]);
    const others = ["keboola.ex-db-mysql", "20"];
    await write(keboola, [{ name: "amount", type: "DECIMAL(12,2)" }]);
    expect(lengths()).toEqual([others, ["ai-metadata-enrichment", "12,2"]]);
    const sent = keboola.requests.length;
    await write(keboola, [{ name: "amount", type: "DATE" }], { dryRun: true });
    expect(keboola.requests.slice(sent).every(({ method }) => method === "GET")).toBe(true);
    const failing = (method: string) =>
      keboola.onRequest((step, _n, request) =>
        step === "metadata" && request.method === method ? { kind: "status", status: 400 } : undefined,
      );
    failing("POST");
    expect(await rejection(write(keboola, [{ name: "amount", type: "DATE" }]))).toMatchObject({
      code: "keboola/request_refused",
    });
    // The earlier type is complete.
    expect(lengths()).toEqual([others, ["ai-metadata-enrichment", "12,2"]]);
    expect((await columnsOf(keboola))["amount"]).toEqual(["DECIMAL(12,2)", null]);
    failing("DELETE");
    const startsAt = new Date("2026-06-01T09:00:00Z");
    expect(await rejection(write(keboola, [{ name: "amount", type: "DATE" }], { startsAt }))).toMatchObject({
      message: expect.stringContaining("the earlier length of column in.c-crm.orders.amount") as string,
      hint: "The new types are written; run it again to remove the length.",
    });
    expect((await columnsOf(keboola))["amount"]).toEqual(["DATE", null]);
    keboola.onRequest(undefined);
    const again = await write(keboola, [{ name: "amount", type: "DATE" }], { dryRun: true });
    expect(lengths()).toHaveLength(2);
    expect(await write(keboola, [{ name: "amount", type: "DATE" }])).toEqual(again);
    expect(outcomes(again.changes)).toEqual(["amount type unchanged"]);
    expect(lengths()).toEqual([others]);
    expect((await columnsOf(keboola))["amount"]).toEqual(["DATE", null]);
  });

  test("keeps a length that was written together with a type of the same provider", async () => {
    const entry = (key: string, value: string) => ({
      provider: "ai-metadata-enrichment",
      key: `KBC.datatype.${key}`,
      value,
    });
    const keboola = projectWith({
      columnMetadata: {
        note: [entry("length", "255"), entry("basetype", "STRING"), entry("type", "VARCHAR")],
      },
    });
    const { changes } = await write(keboola, [{ name: "note", type: "VARCHAR" }]);
    expect(outcomes(changes)).toEqual(["note type unchanged"]);
    expect(keboola.storage.table(ORDERS).columnMetadata.get("note")).toHaveLength(3);
  });

  test("repeats a request whose response is lost", async () => {
    const keboola = projectWith();
    keboola.onRequest((step, n) => (step === "metadata" && n === 1 ? { kind: "lost response" } : undefined));
    const { changes } = await write(keboola, [{ name: "note", description: "Words" }]);
    expect(outcomes(changes)).toEqual(["note description written"]);
    expect(keboola.requestsOf("metadata")).toHaveLength(2);
    expect(keboola.storage.table(ORDERS).columnMetadata.get("note")).toHaveLength(1);
    keboola.onRequest(undefined);
    await write(keboola, [{ name: "amount", type: "DECIMAL(12,2)" }]);
    // The entry is gone when the request is repeated.
    let isLost = false;
    keboola.onRequest((_step, _n, { method }) => {
      if (method !== "DELETE" || isLost) return undefined;
      isLost = true;
      return { kind: "lost response" };
    });
    await write(keboola, [{ name: "amount", type: "DATE" }]);
    expect([isLost, (await columnsOf(keboola))["amount"]]).toEqual([true, ["DATE", null]]);
  });
});
