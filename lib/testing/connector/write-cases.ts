import assert from "node:assert/strict";

import { quoteIdentifier } from "../../duckdb/mod.ts";
import { createRowBuilder, type arrow, type TableInfo, type WriteMode } from "../../kit/mod.ts";
import { discoverTables } from "../../sources/mod.ts";
import type { ContractConfig, WriteSample } from "./config.ts";
import { namesOf, Workbench } from "./rows.ts";
import { able, failureOf, namedTable, beforeDeadline, type Session } from "./session.ts";
import type { SourceCase } from "./source-case.ts";

const needs = ["discover", "read", "write"] as const;
const when = (config: ContractConfig) => samplesOf(config).length > 0;

/** Cases about rows that are written back. */
export const writeCases: readonly SourceCase[] = [
  {
    name: "write() accepts rows and read() returns them",
    needs,
    when,
    async run(session) {
      for (const { info, mode, rows } of await targetsOf(session)) {
        await using bench = await Workbench.open(session);
        const before = await bench.read(info);
        const options = { mode, signal: session.signal };
        const written = await able(session, "write").write(info, batchesOf(info, rows), options);
        assert.equal(
          written.rows,
          rows.length,
          "write() reports a different number of rows than it received",
        );
        const added = await bench.load(info, batchesOf(info, rows));
        const expected = expectedRows(info, mode, { before, added });
        const what = `${info.name} after write() with the mode ${mode}`;
        await bench.assertSameRows(await bench.read(info), expected, what);
      }
    },
  },
  {
    name: "write() writes nothing if its rows fail",
    needs,
    when,
    async run(session) {
      const failure = new Error("the rows failed");
      for (const target of await targetsOf(session)) {
        const batches = async function* () {
          yield* batchesOf(target.info, target.rows);
          throw failure;
        };
        await assertUnchanged(session, target, async (write) => {
          const error = await failureOf(
            write(batches(), session.signal),
            "write() succeeds if its rows fail",
          );
          assert.equal(error, failure, `write() hides the failure of its rows behind ${String(error)}`);
        });
      }
    },
  },
  {
    name: "write() writes nothing when it is aborted, and stops within a second",
    needs,
    when,
    async run(session) {
      for (const target of await targetsOf(session)) {
        const controller = new AbortController();
        const batches = async function* () {
          yield* batchesOf(target.info, target.rows);
          controller.abort();
        };
        await assertUnchanged(session, target, (write) =>
          beforeDeadline(
            1000,
            failureOf(write(batches(), controller.signal), "write() succeeds although it is aborted"),
            "write() continues for more than a second after the abort",
          ),
        );
      }
    },
  },
  {
    name: "checkWrite() accepts rows that write() accepts, and writes nothing",
    needs,
    when,
    async run(session) {
      const { connector, signal } = session;
      if (connector.checkWrite === undefined) return;
      for (const target of await targetsOf(session)) {
        const { info, rows, mode } = target;
        await assertUnchanged(session, target, () =>
          connector.checkWrite!(info, batchesOf(info, rows), { mode, signal }),
        );
      }
    },
  },
  {
    name: "writeTarget() describes tables as discover() does",
    needs,
    when,
    async run(session) {
      const { connector, signal } = session;
      if (connector.writeTarget === undefined) return;
      for (const { info, mode } of await targetsOf(session)) {
        const target = await connector.writeTarget(info.name, { mode, signal });
        assert.ok(target !== null, `writeTarget() does not know the table ${info.name}`);
        assert.deepEqual(
          namesOf(target),
          namesOf(info),
          `writeTarget() returns other columns of ${info.name}`,
        );
        assert.deepEqual(
          target.primaryKey,
          info.primaryKey,
          `writeTarget() returns another key of ${info.name}`,
        );
        const unknown = await connector.writeTarget(`${info.name}-does-not-exist`, { mode, signal });
        assert.equal(unknown, null, "writeTarget() describes a table that does not exist");
      }
    },
  },
];

type Target = Required<Pick<WriteSample, "rows" | "mode">> & { readonly info: TableInfo };

type Write = (
  batches: AsyncIterable<arrow.RecordBatch>,
  signal: AbortSignal,
) => Promise<{ readonly rows: number }>;

function samplesOf({ write = [] }: ContractConfig): readonly WriteSample[] {
  return "table" in write ? [write] : write;
}

async function targetsOf({ handle, config, signal }: Session): Promise<readonly Target[]> {
  const tables = await discoverTables(handle, { signal });
  return samplesOf(config).map(({ table, rows, mode = "append" }) => ({
    info: namedTable(tables, table),
    rows,
    mode,
  }));
}

async function* batchesOf(
  info: TableInfo,
  rows: WriteSample["rows"],
): AsyncGenerator<arrow.RecordBatch, void, void> {
  const builder = createRowBuilder(info);
  yield* builder.append(rows);
  yield* builder.finish();
}

async function assertUnchanged(
  session: Session,
  { info, mode }: Target,
  work: (write: Write) => Promise<unknown>,
): Promise<void> {
  await using bench = await Workbench.open(session);
  const before = await bench.read(info);
  await work((batches, signal) => able(session, "write").write(info, batches, { mode, signal }));
  await bench.assertSameRows(
    await bench.read(info),
    before,
    `${info.name} although nothing was to be written`,
  );
}

/** The relation that a table must equal after rows were written. */
function expectedRows(
  { primaryKey }: TableInfo,
  mode: WriteMode,
  { before, added }: { readonly before: string; readonly added: string },
): string {
  if (mode === "replace") return added;
  if (mode === "append") return `(FROM ${before} UNION ALL FROM ${added})`;
  const key = primaryKey.map((column) => `b.${quoteIdentifier(column)} = a.${quoteIdentifier(column)}`);
  const kept = `FROM ${before} AS b WHERE NOT EXISTS (FROM ${added} AS a WHERE ${key.join(" AND ")})`;
  return `(${kept} UNION ALL FROM ${added})`;
}
