import assert from "node:assert/strict";

import type { Change, PushRequest, Row, TableInfo } from "../../kit/mod.ts";
import { discoverTables } from "../../sources/mod.ts";
import type { SourceCase } from "./source-case.ts";
import { able, failureOf } from "./session.ts";

const UNSIGNED: PushRequest = {
  method: "POST",
  url: "http://localhost/webhook",
  headers: { "content-type": "application/json" },
  body: new TextEncoder().encode("{}"),
};

/** Cases about pushed events. */
export const pushCases: readonly SourceCase[] = [
  {
    name: "verify() rejects unsigned requests",
    needs: ["stream"],
    async run(session) {
      const refused = (request: PushRequest) =>
        failureOf(
          able(session, "stream").verify(request),
          "verify() accepts a request that is not authentic",
        );
      await refused(UNSIGNED);
      for (const request of session.config.push?.forged ?? []) await refused(request);
      const genuine = session.config.push?.genuine;
      if (genuine !== undefined) await refused({ ...genuine, body: tampered(genuine.body) });
    },
  },
  {
    name: "stream() turns authentic events into changes of its tables",
    needs: ["discover", "stream"],
    when: (config) => config.push !== undefined,
    async run(session) {
      const { handle, signal, config } = session;
      const connector = able(session, "stream");
      const tables = await discoverTables(handle, { signal });
      const events = await connector.verify(config.push!.genuine);
      assert.ok(events.length > 0, "verify() returns no events for the authentic request");
      const again = await connector.verify(config.push!.genuine);
      assert.deepEqual(
        again.map((event) => event.id),
        events.map((event) => event.id),
        "a replayed event has another id",
      );
      const replayed = (async function* () {
        yield* events;
      })();
      for await (const change of connector.stream(replayed, { tables, signal })) {
        const info = tables.find((one) => one.name === change.table);
        assert.ok(
          info !== undefined,
          `stream() changes the table ${change.table}, which discover() does not list`,
        );
        for (const row of rowsOf(change)) {
          const missing: string | undefined = info.primaryKey.find(
            (column) => row[column] === undefined || row[column] === null,
          );
          assert.ok(missing === undefined, `a change of ${info.name} lacks the key column ${missing}`);
        }
        if (change.kind === "replace") checkReplacement(info, change);
      }
    },
  },
];

function rowsOf(change: Change): readonly Row[] {
  if (change.kind === "replace") return change.rows;
  return [change.kind === "upsert" ? change.row : change.key];
}

function checkReplacement(info: TableInfo, { parent, rows }: Extract<Change, { kind: "replace" }>): void {
  for (const [column, value] of Object.entries(parent)) {
    const has = info.schema.fields.some((field) => field.name === column);
    assert.ok(has, `a parent of ${info.name} has the column ${column}, which the table lacks`);
    assert.ok(value !== null && value !== undefined, `a parent of ${info.name} has no value of ${column}`);
    for (const row of rows) {
      assert.deepEqual(row[column], value, `a row of ${info.name} has another ${column} than its parent`);
    }
  }
}

function tampered(body: Uint8Array): Uint8Array {
  const changed = Uint8Array.from(body);
  const at = changed.length - 1;
  if (at >= 0) changed[at] = changed[at]! ^ 1;
  return at < 0 ? Uint8Array.of(1) : changed;
}
