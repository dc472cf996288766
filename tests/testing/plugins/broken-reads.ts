import { setTimeout as sleep } from "node:timers/promises";

import { float64, table, utf8, type ReadOptions, type Row } from "agnes/kit";

import type { Broken } from "./broken.ts";
import { batches, isWanted, PEOPLE, type Breaking } from "./memory.ts";

const SCHEMA = "read() yields batches of the declared schema";
const EXTRACT = "an extract publishes every row of every table";
const SECOND = "a second extract of an unchanged source publishes the same rows";
const CURSOR = "read() with a cursor yields exactly the rows that it asks for";
const DELETIONS = "read() names rows that are gone by their primary key, and an extract removes them";
const STRANGER = "read() of a table that does not exist fails";
const KEYS = "read() yields each primary key once";
const AGAIN = "read() yields the same rows again, also with two reads at once";
const COLUMNS = "read() with columns yields the same rows";
const FILTER = "read() with a filter yields the rows that filtering afterwards leaves";
const WRITE = "write() takes rows and read() gives them back";

/** A read of `people` that yields what `choose` makes of the rows. */
export function reading(choose: (rows: readonly Row[], options: ReadOptions) => readonly Row[]): Breaking {
  return (_good, { rows }) => ({
    async *read({ name }, options) {
      if (!/^people$/i.test(name)) throw new Error(`there is no table ${name}`);
      yield* batches(choose(rows, options), options);
    },
  });
}

/** The rows that a read asks for. */
export const wanted = (rows: readonly Row[], options: ReadOptions) =>
  rows.filter((row) => isWanted(row, options));

/** Ways to read that break a promise. */
export const brokenReads: readonly Broken[] = [
  {
    words: "a batch with another type than declared",
    breaking: (good, { rows }) => ({
      async *read(info, options) {
        if (info.name !== PEOPLE.name) yield* good.read(info, options);
        const { type } = PEOPLE.schema.fields[2]!;
        const wrong = table("people", { id: float64(), name: utf8(), seen_at: { type, nullable: true } });
        yield* batches(wanted(rows, options), options, wrong);
      },
    }),
    caught: [SCHEMA, EXTRACT, SECOND],
  },
  {
    words: "a column that was not declared",
    breaking: (good, { rows }) => ({
      async *read(info, options) {
        if (info.name !== PEOPLE.name) yield* good.read(info, options);
        const { columns: _, ...all } = options;
        yield* batches(wanted(rows, options), all, table("people", { extra: utf8(), ...columnsOfPeople() }));
      },
    }),
    caught: [SCHEMA, EXTRACT, SECOND],
  },
  {
    words: "a read that goes on after the abort",
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
    words: "a read that hangs after the abort",
    breaking: (good) => ({
      async *read(info, options) {
        yield* good.read(info, { ...options, signal: new AbortController().signal });
        if (options.signal.aborted) await sleep(1500);
      },
    }),
    caught: ["read() stops within a second when it is aborted"],
  },
  {
    words: "a cursor that leaves out the rows that are equal to it",
    breaking: reading((rows, options) => {
      const last = Date.parse(`${options.cursor?.value.replace(" ", "T")}Z`);
      return rows.filter((row) => isWanted(row, options) && row["seen_at"] !== last);
    }),
    caught: [CURSOR],
  },
  {
    words: "a cursor that leaves out the rows without one",
    breaking: reading((rows, options) =>
      rows.filter(
        (row) => isWanted(row, options) && (options.cursor === undefined || row["seen_at"] !== null),
      ),
    ),
    caught: [CURSOR],
  },
  {
    words: "a cursor that takes earlier rows again",
    breaking: reading((rows, { filter = [] }) => rows.filter((row) => isWanted(row, { filter }))),
    caught: [CURSOR],
  },
  {
    words: "a row that is gone, without its key",
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
    words: "a cursor that leaves a later row out",
    breaking: reading((rows, options) => wanted(rows, options).slice(options.cursor === undefined ? 0 : 1)),
    caught: [CURSOR],
  },
  {
    words: "columns that come with other values when they come alone",
    breaking: reading((rows, options) =>
      wanted(rows, options).map((row) => (options.columns?.length === 1 ? { ...row, id: 0 } : row)),
    ),
    caught: [COLUMNS],
  },
  {
    words: "a filter that takes >= for >",
    breaking: reading((rows, { cursor, filter = [] }) => {
      const strict = filter.map((one) => (one.operator === "ge" ? { ...one, operator: "gt" as const } : one));
      return rows.filter((row) => isWanted(row, { ...(cursor && { cursor }), filter: strict }));
    }),
    caught: [FILTER],
  },
  {
    words: "reads that take rows from each other",
    breaking(_good, { rows }) {
      let position = 0;
      let readers = 0;
      return {
        async *read({ name }, options) {
          if (name !== PEOPLE.name) throw new Error("there is no table of that name");
          if (readers === 0) position = 0;
          readers += 1;
          try {
            const all = wanted(rows, options);
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
    words: "a table that does not exist taken for an empty one",
    breaking: (good) => ({
      async *read(info, options) {
        if (info.name === PEOPLE.name) yield* good.read(info, options);
      },
    }),
    caught: [STRANGER],
  },
  {
    words: "rows of a table that is not there",
    breaking: (good) => ({
      read: (info, options) => good.read({ ...info, name: PEOPLE.name }, options),
    }),
    caught: [STRANGER],
  },
  {
    words: "rows with a key that no column has",
    breaking: (_good, { rows }) => ({
      async *read({ name }, options) {
        if (name !== PEOPLE.name) throw new Error(`there is no table ${name}`);
        for (const row of wanted(rows, options)) {
          options.signal.throwIfAborted();
          yield [row["id"] === 3 ? { ...row, shoe_size: 46 } : row];
        }
      },
    }),
    caught: [SCHEMA],
  },
  {
    words: "rows that come twice under one primary key",
    breaking: reading((rows, options) => wanted([...rows, { ...rows[5], name: "other" }], options)),
    caught: [KEYS, EXTRACT, SECOND],
  },
  {
    words: "a batch that is no batch",
    breaking: (good) => ({
      async *read(info, options) {
        yield* good.read(info, options);
        yield { rows: [] } as never;
      },
    }),
    caught: [SCHEMA, KEYS, AGAIN, COLUMNS, FILTER, CURSOR, WRITE, EXTRACT, SECOND, DELETIONS],
  },
  {
    words: "nothing new told as if the table were empty",
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
    caught: [SECOND],
  },
];

function columnsOfPeople() {
  return Object.fromEntries(
    PEOPLE.schema.fields.map(({ name, type, nullable }) => [String(name), { type, nullable }]),
  );
}
