import { setTimeout as sleep } from "node:timers/promises";

import { decimal, float64, table, utf8, type Filter, type ReadOptions, type Row } from "agnes/kit";

import * as v from "valibot";

import type { Broken } from "./broken.ts";
import { batches, isWanted, PEOPLE, type Breaking } from "./memory.ts";

const SCHEMA = "read() yields batches of the declared schema";
const EXTRACT = "an extract publishes every row of every table";
const SECOND = "a second extract of an unchanged source publishes the same rows";
const CURSOR = "read() with a cursor yields exactly the requested rows";
const DELETIONS = "read() yields deletions with primary keys, and an extract removes these rows";
const STRANGER = "read() of a table that does not exist fails";
const KEYS = "read() yields each primary key once";
const AGAIN = "read() yields the same rows again, also in concurrent reads";
const COLUMNS = "read() with columns yields the same rows";
const FILTER = "read() with a filter yields all rows that match it";
const LIMIT = "read() with a filter and a limit yields as many rows that match it";
const QUERY = "read() with a JSON query yields the same rows again, also with a filter";
const WRITE = "write() accepts rows and read() returns them";
const WRITE_METADATA = "writeMetadata() writes what discover() then returns, and nothing in a dry run";
const FAILED_WRITE = "write() writes nothing if its rows fail";
const ABORTED_WRITE = "write() writes nothing when it is aborted, and stops within a second";

/** A plugin with JSON queries. */
const byQuery = {
  capabilities: ["discover", "read"],
  sourceQuery: v.strictObject({ from: v.optional(v.number()) }),
} as const;

/** A read of `people` that yields the rows returned by `choose`. */
export function reading(choose: (rows: readonly Row[], options: ReadOptions) => readonly Row[]): Breaking {
  return (_good, { rows }) => ({
    async *read({ name }, options) {
      if (!/^people$/i.test(name)) throw new Error(`there is no table ${name}`);
      yield* batches(choose(rows, options), options);
    },
  });
}

/** Returns the rows requested by a read. */
export const selected = (rows: readonly Row[], options: ReadOptions) =>
  rows.filter((row) => isWanted(row, options));

/** A table without a key and a cursor, whose read returns a state. */
function byState(choose: (rows: readonly Row[], options: ReadOptions) => readonly Row[]): Breaking {
  const info = table("people", columnsOfPeople());
  return (_good, { rows }) => ({
    discover: async () => [info],
    async *read({ name }, options) {
      if (!/^people$/i.test(name)) throw new Error(`there is no table ${name}`);
      yield* batches(choose(selected(rows, options), options), options, info);
      return { state: 1 };
    },
  });
}

/** A table with decimals, of which a read yields the rows that meet its conditions on them. */
function priced(meets: (row: Row, filter: Filter) => boolean): Breaking {
  const info = table("people", { price: decimal(10, 2) });
  const rows = ["9.50", "10.00", "5.25", "100.00", "20.00"].map((price) => ({ price }));
  return () => ({
    discover: async () => [info],
    async *read({ name }, options) {
      if (name !== info.name) throw new Error(`there is no table ${name}`);
      const { filter = [] } = options;
      yield* batches(
        rows.filter((row) => filter.every((one) => meets(row, one))),
        options,
        info,
      );
    },
  });
}

/** Reads that violate the contract. */
export const brokenReads: readonly Broken[] = [
  {
    title: "a read that does not report the end of its job",
    breaking: (good) => ({
      read(info, options) {
        options.onJob?.({ id: "job 1", status: "running" });
        return good.read(info, options);
      },
    }),
    caught: ["read() reports the end of all its jobs when it ends, also if it is stopped"],
  },
  {
    title: "a batch with a different type than declared",
    breaking: (good, { rows }) => ({
      async *read(info, options) {
        if (info.name !== PEOPLE.name) yield* good.read(info, options);
        const { type } = PEOPLE.schema.fields[2]!;
        const wrong = table("people", { id: float64(), name: utf8(), seen_at: { type, nullable: true } });
        yield* batches(selected(rows, options), options, wrong);
      },
    }),
    caught: [SCHEMA, EXTRACT, SECOND],
  },
  {
    title: "an undeclared column",
    breaking: (good, { rows }) => ({
      async *read(info, options) {
        if (info.name !== PEOPLE.name) yield* good.read(info, options);
        const { columns: _, ...all } = options;
        yield* batches(
          selected(rows, options),
          all,
          table("people", { extra: utf8(), ...columnsOfPeople() }),
        );
      },
    }),
    caught: [SCHEMA, EXTRACT, SECOND],
  },
  {
    title: "a read that continues after the abort",
    breaking: (good) => ({
      async *read(info, options) {
        const deaf = { ...options, signal: new AbortController().signal };
        for await (const batch of good.read(info, deaf)) {
          yield batch;
          if (options.batchRows < 100) await sleep(30);
        }
      },
    }),
    caught: ["read() stops within a second when it is aborted"],
  },
  {
    title: "a read that hangs after the abort",
    breaking: (good) => ({
      async *read(info, options) {
        yield* good.read(info, { ...options, signal: new AbortController().signal });
        if (options.signal.aborted) await sleep(1500);
      },
    }),
    caught: ["read() stops within a second when it is aborted"],
  },
  {
    title: "a cursor that omits rows with an equal value",
    breaking: reading((rows, options) => {
      const last = Date.parse(`${options.cursor?.value.replace(" ", "T")}Z`);
      return rows.filter((row) => isWanted(row, options) && row["seen_at"] !== last);
    }),
    caught: [CURSOR],
  },
  {
    title: "a cursor that omits rows without a value",
    breaking: reading((rows, options) =>
      rows.filter(
        (row) => isWanted(row, options) && (options.cursor === undefined || row["seen_at"] !== null),
      ),
    ),
    caught: [CURSOR],
  },
  {
    title: "a cursor that repeats earlier rows",
    breaking: reading((rows, { filter = [] }) => rows.filter((row) => isWanted(row, { filter }))),
    caught: [CURSOR],
  },
  {
    title: "a delta by state that yields all rows again",
    breaking: byState((rows) => rows),
    caught: [WRITE, WRITE_METADATA, SECOND],
  },
  {
    title: "a full read with a state that yields only changes",
    breaking: byState((rows, { state }) => (state === undefined ? rows : [])),
    caught: [WRITE, WRITE_METADATA, SECOND],
  },
  {
    title: "a number of rows that the table does not have",
    breaking: (good) => ({
      async *read(info, options) {
        yield* good.read(info, options);
        return { tableRows: 7 };
      },
    }),
    caught: [EXTRACT],
  },
  {
    title: "a deletion without a key",
    breaking: (good) => ({
      async *read(info, options) {
        if (info.name !== PEOPLE.name) yield* good.read(info, options);
        yield* good.read(info, options);
        if (options.cursor !== undefined) yield { kind: "deletions", keys: [{ name: "Ada" }] };
      },
    }),
    caught: [DELETIONS],
  },
  {
    title: "a cursor that omits a later row",
    breaking: reading((rows, options) => selected(rows, options).slice(options.cursor === undefined ? 0 : 1)),
    caught: [CURSOR],
  },
  {
    title: "columns with different values when read alone",
    breaking: reading((rows, options) =>
      selected(rows, options).map((row) => (options.columns?.length === 1 ? { ...row, id: 0 } : row)),
    ),
    caught: [COLUMNS],
  },
  {
    title: "a filter that treats >= as >",
    breaking: reading((rows, { cursor, filter = [] }) => {
      const strict = filter.map((one) => (one.operator === "ge" ? { ...one, operator: "gt" as const } : one));
      return rows.filter((row) => isWanted(row, { ...(cursor && { cursor }), filter: strict }));
    }),
    caught: [FILTER],
  },
  {
    title: "a filter that compares decimals as text",
    breaking: priced(({ price }, { operator, values }) => {
      const text = price as string;
      return operator !== "lt" || values.every((value) => text < String(value));
    }),
    caught: [FILTER],
    capabilities: ["discover", "read"],
  },
  {
    title: "a limit that counts rows before the filter",
    breaking: (good, { rows }) => ({
      read: (info, options) =>
        info.name === PEOPLE.name && options.limit !== undefined
          ? batches(selected(rows.slice(0, options.limit), options), options)
          : good.read(info, options),
    }),
    caught: [LIMIT],
    ...byQuery,
  },
  {
    title: "a JSON query that is ignored with a filter",
    breaking: (good) => ({
      read: (info, { sourceQuery, ...options }) =>
        good.read(info, { ...options, ...(sourceQuery && options.filter === undefined && { sourceQuery }) }),
    }),
    caught: [QUERY],
    ...byQuery,
  },
  {
    title: "concurrent reads that share state",
    breaking(_good, { rows }) {
      let position = 0;
      let readers = 0;
      return {
        async *read({ name }, options) {
          if (name !== PEOPLE.name) throw new Error("there is no table of that name");
          if (readers === 0) position = 0;
          readers += 1;
          try {
            const all = selected(rows, options);
            for (; position < all.length; position += 100) {
              yield* batches(all.slice(position, position + 100), options);
            }
          } finally {
            readers -= 1;
          }
        },
      };
    },
    caught: [AGAIN],
  },
  {
    title: "an unknown table that reads as empty",
    breaking: (good) => ({
      async *read(info, options) {
        if (info.name === PEOPLE.name) yield* good.read(info, options);
      },
    }),
    caught: [STRANGER],
  },
  {
    title: "rows of an unknown table",
    breaking: (good) => ({
      read: (info, options) => good.read({ ...info, name: PEOPLE.name }, options),
    }),
    caught: [STRANGER],
  },
  {
    title: "rows with an undeclared key",
    breaking: (_good, { rows }) => ({
      async *read({ name }, options) {
        if (name !== PEOPLE.name) throw new Error(`there is no table ${name}`);
        for (const row of selected(rows, options)) {
          options.signal.throwIfAborted();
          yield [row["id"] === 3 ? { ...row, shoe_size: 46 } : row];
        }
      },
    }),
    caught: [SCHEMA],
  },
  {
    title: "duplicate rows with one primary key",
    breaking: reading((rows, options) => selected([...rows, { ...rows[5], name: "other" }], options)),
    caught: [KEYS, WRITE, EXTRACT, SECOND],
  },
  {
    title: "an invalid batch",
    breaking: (good) => ({
      async *read(info, options) {
        yield* good.read(info, options);
        yield { rows: [] } as never;
      },
    }),
    caught: [
      SCHEMA,
      KEYS,
      AGAIN,
      COLUMNS,
      FILTER,
      CURSOR,
      WRITE,
      FAILED_WRITE,
      ABORTED_WRITE,
      EXTRACT,
      SECOND,
      DELETIONS,
    ],
  },
  {
    title: "an unchanged table reported as empty",
    breaking: (good) => ({
      async discover() {
        const { cursor: _, ...people } = PEOPLE;
        return [people];
      },
      async *read(info, options) {
        if (options.state === undefined) yield* good.read(info, options);
        return { state: 1 };
      },
    }),
    caught: [WRITE_METADATA, SECOND],
  },
];

function columnsOfPeople() {
  return Object.fromEntries(
    PEOPLE.schema.fields.map(({ name, type, nullable }) => [String(name), { type, nullable }]),
  );
}
