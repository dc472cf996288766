import assert from "node:assert/strict";

import { createTurns } from "../../base/mod.ts";
import { isDeletions, isFileChunk, isRows, table, utf8 } from "../../kit/mod.ts";
import { connectBare } from "./bare.ts";
import type { SourceCase } from "./source-case.ts";
import { assertNoSecret, assertNoSecretInLog } from "./leaks.ts";
import { assertWrappedOnce, type Session } from "./session.ts";

const BATCHES_MAX = 100;
const STRANGER = table("a_table_nobody_has", { id: utf8() });

/** Cases about failures. */
export const failureCases: readonly SourceCase[] = [
  {
    name: "read() of a table that does not exist fails",
    needs: ["read"],
    async run(session) {
      let hasRows = false;
      try {
        for await (const batch of session.read(STRANGER)) {
          hasRows = isDeletions(batch) || isFileChunk(batch) || !isRows(batch) || batch.length > 0;
          if (hasRows) break;
        }
      } catch (error) {
        assertWrappedOnce(error);
        return;
      }
      assert.fail(
        hasRows
          ? "read() of a table that does not exist yields rows; throw an error for unknown names"
          : "read() of a table that does not exist ends without rows, like an empty table",
      );
    },
  },
  {
    name: "errors and log entries contain no secret",
    needs: [],
    async run(session) {
      const bare = await connectBare(session);
      const { signal } = session;
      const work: (() => unknown)[] = [
        () => bare.discover && listAll(bare.discover({ signal }), signal),
        () => bare.read && drain(bare.read(STRANGER, { batchRows: 8192, signal }), signal),
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
      assert.ok(error instanceof Error, `the thrown value is not an Error: ${typeof error}`);
      assertNoSecret(session, `the error "${error.name}"`, error);
    }
  }
}

async function listAll(found: Promise<unknown> | AsyncIterable<unknown>, signal: AbortSignal): Promise<void> {
  if (Symbol.asyncIterator in found) await drain(found, signal);
  else await found;
}

/** Reads a few batches; more are not needed. */
async function drain(batches: AsyncIterable<unknown>, signal: AbortSignal): Promise<void> {
  const turn = createTurns();
  let count = 0;
  for await (const _ of batches) {
    await turn();
    count += 1;
    if (signal.aborted || count >= BATCHES_MAX) return;
  }
}
