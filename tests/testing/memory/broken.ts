import { setTimeout as sleep } from "node:timers/promises";

import { isQueryArray, type AnyPlugin, type Capability, type TableInfo } from "agnes/kit";

import { brokenMetadata } from "./broken-metadata.ts";
import { brokenReads, reading, selected } from "./broken-reads.ts";
import { batches, PEOPLE, type Breaking, type MemoryConnector } from "./memory.ts";

/** A contract violation, and the cases that must detect it. */
export interface Broken {
  readonly title: string;
  readonly breaking: Breaking;
  readonly caught: readonly string[];
  /** The declared capabilities. Default: all; fewer are faster. */
  readonly capabilities?: readonly Capability[];
  /** The schema of its JSON queries. Default: none. */
  readonly sourceQuery?: AnyPlugin["sourceQuery"];
}

const EXTRACT = "an extract publishes every row of every table";
const SECOND = "a second extract of an unchanged source publishes the same rows";
const SECRET = "errors and log entries contain no secret";
const STREAM = "stream() turns authentic events into changes of its tables";
const ABORTED_WRITE = "write() writes nothing when it is aborted, and stops within a second";
const WRITE_METADATA = "writeMetadata() writes what discover() then returns, and nothing in a dry run";
const WRITE = "write() accepts rows and read() returns them";

const brokenSecrets: readonly Broken[] = [
  {
    title: "a secret in an error",
    breaking: (good, { secrets }) => ({
      async *read(info, options) {
        if (info.name !== PEOPLE.name) throw new Error(`401 for ${secrets.TOKEN.reveal()}`);
        yield* good.read(info, options);
      },
    }),
    caught: [SECRET],
  },
  {
    title: "a secret in base64 in the cause of an error",
    breaking: (good, { secrets }) => ({
      async *read(info, options) {
        const sent = `Basic ${Buffer.from(secrets.TOKEN.reveal()).toString("base64")}`;
        if (info.name !== PEOPLE.name)
          throw new Error("refused", { cause: { request: { headers: [sent] } } });
        yield* good.read(info, options);
      },
    }),
    caught: [SECRET],
  },
  {
    title: "a secret in the log",
    breaking: (good, { secrets, log }) => ({
      async *discover(options) {
        log.debug("listing", { headers: { authorization: secrets.TOKEN.reveal() } });
        yield await listed(good, options);
      },
    }),
    caught: [SECRET],
    capabilities: ["discover"],
  },
  {
    title: "a secret in the url to attach",
    breaking: (good, { secrets }) => ({
      remote: () => ({ ...good.remote(), url: `x://h?t=${encodeURIComponent(secrets.TOKEN.reveal())}` }),
    }),
    caught: ["remote() embeds no secret"],
    capabilities: ["remote"],
  },
  {
    title: "a token instead of the name of its variable",
    breaking: (good) => ({ remote: () => ({ ...good.remote(), tokenEnv: "sk-12345" }) }),
    caught: ["remote() embeds no secret"],
    capabilities: ["remote"],
  },
];

const brokenSources: readonly Broken[] = [
  {
    title: "tables that change their description",
    breaking() {
      let count = 0;
      return { discover: async () => [{ ...PEOPLE, description: `look ${(count += 1)}` }] };
    },
    caught: ["discover() lists the same tables again"],
    capabilities: ["discover"],
  },
  {
    title: "two tables with the same exposed name",
    breaking: (good, context) => ({
      ...reading(selected)(good, context),
      discover: async () => [PEOPLE, { ...PEOPLE, name: "People" }],
    }),
    caught: ["discover() lists named and typed tables", WRITE_METADATA, EXTRACT, SECOND],
  },
  {
    title: "a discovery that continues after the abort",
    breaking: (good) => ({
      async *discover(options) {
        if (options.signal.aborted) await sleep(1200);
        yield await listed(good, options);
      },
    }),
    caught: ["discover() stops within a second when it is aborted"],
    capabilities: ["discover"],
  },
  {
    title: "a second close() that fails",
    breaking() {
      let isOpen = true;
      return {
        close() {
          if (!isOpen) throw new Error("it is closed");
          isOpen = false;
        },
      };
    },
    caught: ["close() may be called twice"],
    capabilities: ["discover"],
  },
  {
    title: "a health check without a message",
    breaking: () => ({ health: async () => ({ ok: true, message: " " }) }),
    caught: ["health() returns a sentence"],
    capabilities: ["discover"],
  },
  {
    title: "an unhealthy source",
    breaking: () => ({ health: async () => ({ ok: false, message: "down" }) }),
    caught: ["health() returns a sentence"],
    capabilities: ["discover"],
  },
];

const brokenQueries: readonly Broken[] = [
  {
    title: "a query result without rows",
    breaking: (good) => ({
      query: async (sql, options) => ({
        schema: (await good.query(sql, options)).schema,
        batches: batches([], { batchRows: 1 }),
      }),
    }),
    caught: [
      "query() returns batches of its schema",
      "query() returns the values of named parameters",
      "query() returns the values of an array, also of one without values",
    ],
  },
  {
    title: "a query result for invalid SQL",
    breaking: (good) => ({ query: (_sql, options) => good.query("SELECT 1 AS one", options) }),
    caught: [
      "query() of invalid SQL fails, wrapped once",
      "query() returns the values of named parameters",
      "query() returns the values of an array, also of one without values",
    ],
  },
  {
    title: "a query that continues after the abort",
    breaking: (good) => ({
      async query(sql, options) {
        if (options.signal.aborted) await sleep(1200);
        return good.query(sql, options);
      },
    }),
    caught: ["query() stops within a second when it is aborted"],
  },
  {
    title: "a query that inserts its parameters as text",
    breaking: (good) => ({
      query: (sql, options) => {
        const { text } = options.parameters ?? {};
        if (typeof text !== "string") return good.query(sql, options);
        const parameters = { ...options.parameters, text: text.replaceAll("'", "''") };
        return good.query(sql, { ...options, parameters });
      },
    }),
    caught: ["query() returns the values of named parameters"],
  },
  {
    title: "a query that loses the last value of an array",
    breaking: (good) => ({
      async query(sql, options) {
        const { keys = null } = options.parameters ?? {};
        if (!isQueryArray(keys)) return good.query(sql, options);
        return good.query(sql, {
          ...options,
          parameters: { keys: { ...keys, values: keys.values.slice(1) } },
        });
      },
    }),
    caught: ["query() returns the values of an array, also of one without values"],
  },
  {
    title: "a query that does not report the end of its job",
    breaking: (good) => ({
      query(sql, options) {
        options.onJob?.({ id: "job 1", status: "running" });
        return good.query(sql, options);
      },
    }),
    caught: ["query() reports the end of all its jobs before its last row"],
  },
  {
    title: "an impossible estimate",
    breaking: () => ({ estimate: async () => ({ scannedBytes: Number.NaN }) }),
    caught: ["estimate() returns plausible figures"],
  },
];

const brokenPushes: readonly Broken[] = [
  {
    title: "unverified pushed requests",
    breaking: () => ({ verify: async () => [{ id: "1", body: { id: 1 } }] }),
    caught: ["verify() rejects unsigned requests"],
    capabilities: ["discover", "stream"],
  },
  {
    title: "a replayed event with a different id",
    breaking(good) {
      let count = 0;
      return {
        verify: async (request) =>
          (await good.verify(request)).map((event) => ({ ...event, id: String((count += 1)) })),
      };
    },
    caught: [STREAM],
    capabilities: ["discover", "stream"],
  },
  {
    title: "a change without its key",
    breaking: () => ({
      async *stream(events) {
        for await (const _ of events) yield { kind: "delete", table: PEOPLE.name, key: { name: "Ada" } };
      },
    }),
    caught: [STREAM],
    capabilities: ["discover", "stream"],
  },
  {
    title: "rows of a parent that belong to another one",
    breaking: () => ({
      async *stream(events) {
        const rows = [{ id: 1, name: "Grace" }];
        for await (const _ of events)
          yield { kind: "replace", table: PEOPLE.name, parent: { name: "Ada" }, rows };
      },
    }),
    caught: [STREAM],
    capabilities: ["discover", "stream"],
  },
  {
    title: "accepted rows that are lost",
    breaking: () => ({
      async write(_table, written, { signal }) {
        let rows = 0;
        for await (const batch of written) rows += batch.numRows;
        signal.throwIfAborted();
        return { rows };
      },
    }),
    caught: [WRITE],
  },
  {
    title: "an upsert that appends",
    breaking: (good) => ({
      write: (info, written, options) =>
        good.write(info, written, options.mode === "upsert" ? { ...options, mode: "append" } : options),
    }),
    caught: [WRITE],
  },
  {
    title: "rows written before all of them are there",
    breaking: (good) => ({
      async write(info, written, options) {
        let rows = 0;
        for await (const batch of written) {
          const one = async function* () {
            yield batch;
          };
          rows += (await good.write(info, one(), options)).rows;
        }
        return { rows };
      },
    }),
    caught: ["write() writes nothing if its rows fail", ABORTED_WRITE],
  },
  {
    title: "a write that ignores the abort",
    breaking: (good) => ({
      write: (info, written, { mode }) =>
        good.write(info, written, { mode, signal: new AbortController().signal }),
    }),
    caught: [ABORTED_WRITE],
  },
  {
    title: "a check of rows that writes them",
    breaking: (good) => ({
      async checkWrite(...request) {
        await good.write(...request);
      },
    }),
    caught: ["checkWrite() accepts rows that write() accepts, and writes nothing"],
  },
  {
    title: "a target that does not exist",
    breaking: () => ({ writeTarget: async () => PEOPLE }),
    caught: ["writeTarget() describes tables as discover() does"],
  },
  {
    title: "metadata that is written in a dry run",
    breaking: (good) => ({
      writeMetadata: (name, columns, options) =>
        good.writeMetadata!(name, columns, { ...options, dryRun: false }),
    }),
    caught: [WRITE_METADATA],
  },
  {
    title: "metadata that is reported and not written",
    breaking: (good) => ({
      writeMetadata: (name, columns, options) =>
        good.writeMetadata!(name, columns, { ...options, dryRun: true }),
    }),
    caught: [WRITE_METADATA],
  },
  {
    title: "metadata that is written again",
    breaking: (good) => ({
      writeMetadata: async (name, columns, options) =>
        (await good.writeMetadata!(name, columns, options))?.map((change) =>
          change.outcome === "unchanged" ? { ...change, outcome: "written" } : change,
        ) ?? null,
    }),
    caught: [WRITE_METADATA],
  },
  {
    title: "metadata of a table that does not exist",
    breaking: (good) => ({
      writeMetadata: (_name, columns, options) => good.writeMetadata!(PEOPLE.name, columns, options),
    }),
    caught: [WRITE_METADATA],
  },
  {
    title: "metadata without a change for a type",
    breaking: (good) => ({
      writeMetadata: async (name, columns, options) =>
        (await good.writeMetadata!(name, columns, options))?.filter(({ part }) => part !== "type") ?? null,
    }),
    caught: [WRITE_METADATA],
  },
];

/** All contract violations. */
export const brokenPlugins: readonly Broken[] = [
  ...brokenReads,
  ...brokenSecrets,
  ...brokenSources,
  ...brokenMetadata,
  ...brokenQueries.map((broken) => ({ ...broken, capabilities: ["query"] as const })),
  ...brokenPushes,
];

async function listed(
  good: MemoryConnector,
  options: { readonly signal: AbortSignal },
): Promise<readonly TableInfo[]> {
  return (await good.discover(options)) as readonly TableInfo[];
}
