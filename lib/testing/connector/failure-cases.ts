import assert from "node:assert/strict";

import { table, utf8 } from "../../kit/mod.ts";
import { connectBare } from "./bare.ts";
import type { SourceCase } from "./config.ts";
import { assertNoSecret, assertNoSecretInLog } from "./leaks.ts";
import { able, assertWrappedOnce, type Session } from "./session.ts";

const STRANGER = table("a_table_nobody_has", { id: utf8() });

/** Cases about failing. */
export const failureCases: readonly SourceCase[] = [
  {
    name: "read() does not take a table that does not exist for an empty one",
    needs: ["read"],
    async run(session) {
      const batches = able(session, "read").read(STRANGER, { batchRows: 8192, signal: session.signal });
      try {
        // A connector of one table need not look at the name; what it yields does not fit, and the runtime says so.
        for await (const _ of batches) return;
      } catch (error) {
        assertWrappedOnce(error);
        return;
      }
      assert.fail("read() of a table that does not exist ends without a row, as if the table were empty");
    },
  },
  {
    name: "errors and log lines carry no secret",
    needs: [],
    async run(session) {
      const bare = await connectBare(session);
      const { signal } = session;
      const work: (() => unknown)[] = [
        () => bare.discover && listAll(bare.discover({ signal })),
        () => bare.read && drain(bare.read(STRANGER, { batchRows: 8192, signal })),
        () => bare.query?.("SELECT this is no SQL", { signal }),
        () =>
          bare.verify?.({ method: "POST", url: "http://localhost/", headers: {}, body: new Uint8Array() }),
        () => bare.health?.({ signal }),
      ];
      try {
        await searchFailures(session, work);
        session.config.server?.inject(
          Array.from({ length: 50 }, () => ({ kind: "status", status: 401 }) as const),
        );
        await searchFailures(session, work);
      } finally {
        session.config.server?.inject([]);
        await bare.close?.();
      }
      assertNoSecretInLog(session);
    },
  },
];

async function searchFailures(session: Session, work: readonly (() => unknown)[]): Promise<void> {
  for (const one of work) {
    try {
      await one();
    } catch (error) {
      assert.ok(error instanceof Error, `something that is no Error was thrown: ${typeof error}`);
      assertNoSecret(session, `the error "${error.name}"`, error);
    }
  }
}

async function listAll(found: Promise<unknown> | AsyncIterable<unknown>): Promise<void> {
  if (Symbol.asyncIterator in found) await drain(found);
  else await found;
}

async function drain(batches: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of batches);
}
