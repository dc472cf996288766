import { setTimeout as sleep } from "node:timers/promises";

import type { Capability, TableInfo } from "agnes/kit";

import { brokenMetadata } from "./broken-metadata.ts";
import { brokenReads, reading, wanted } from "./broken-reads.ts";
import { batches, PEOPLE, type Breaking, type MemoryConnector } from "./memory.ts";

/** A way to break a promise, and the cases that must notice. */
export interface Broken {
  readonly words: string;
  readonly breaking: Breaking;
  readonly caught: readonly string[];
  /** What the plugin declares. Default: everything; less takes less time. */
  readonly capabilities?: readonly Capability[];
}

const EXTRACT = "an extract publishes every row of every table";
const SECOND = "a second extract of an unchanged source publishes the same rows";
const SECRET = "errors and log lines carry no secret";
const STREAM = "stream() turns genuine events into changes of its tables";
const WRITE = "write() takes rows and read() gives them back";

const brokenSecrets: readonly Broken[] = [
  {
    words: "a secret in an error",
    breaking: (good, { secrets }) => ({
      async *read(info, options) {
        if (info.name !== PEOPLE.name) throw new Error(`401 for ${secrets.TOKEN.reveal()}`);
        yield* good.read(info, options);
      },
    }),
    caught: [SECRET],
  },
  {
    words: "a secret in base64 in the cause of an error",
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
    words: "a secret in the log",
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
    words: "a secret in the url to attach",
    breaking: (good, { secrets }) => ({
      remote: () => ({ ...good.remote(), url: `x://h?t=${encodeURIComponent(secrets.TOKEN.reveal())}` }),
    }),
    caught: ["remote() embeds no secret"],
    capabilities: ["remote"],
  },
  {
    words: "a token where the name of its variable belongs",
    breaking: (good) => ({ remote: () => ({ ...good.remote(), tokenEnv: "sk-12345" }) }),
    caught: ["remote() embeds no secret"],
    capabilities: ["remote"],
  },
];

const brokenSources: readonly Broken[] = [
  {
    words: "tables that change their description",
    breaking() {
      let count = 0;
      return { discover: async () => [{ ...PEOPLE, description: `look ${(count += 1)}` }] };
    },
    caught: ["discover() lists the same tables again"],
    capabilities: ["discover"],
  },
  {
    words: "two tables that would be exposed under one name",
    breaking: (good, context) => ({
      ...reading(wanted)(good, context),
      discover: async () => [PEOPLE, { ...PEOPLE, name: "People" }],
    }),
    caught: ["discover() lists named and typed tables", EXTRACT, SECOND],
  },
  {
    words: "a discovery that goes on after the abort",
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
    words: "a second close() that fails",
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
    words: "a health check without a word",
    breaking: () => ({ health: async () => ({ ok: true, message: " " }) }),
    caught: ["health() answers in a sentence"],
    capabilities: ["discover"],
  },
  {
    words: "a source that is not well",
    breaking: () => ({ health: async () => ({ ok: false, message: "down" }) }),
    caught: ["health() answers in a sentence"],
    capabilities: ["discover"],
  },
];

const brokenQueries: readonly Broken[] = [
  {
    words: "an answer without rows",
    breaking: (good) => ({
      query: async (sql, options) => ({
        ...(await good.query(sql, options)),
        batches: batches([], { batchRows: 1 }),
      }),
    }),
    caught: ["query() answers with batches of its schema"],
  },
  {
    words: "an answer to what is no SQL",
    breaking: (good) => ({ query: (_sql, options) => good.query("SELECT 1 AS one", options) }),
    caught: ["query() of what is no SQL fails, wrapped once"],
  },
  {
    words: "a query that goes on after the abort",
    breaking: (good) => ({
      async query(sql, options) {
        if (options.signal.aborted) await sleep(1200);
        return good.query(sql, options);
      },
    }),
    caught: ["query() stops within a second when it is aborted"],
  },
  {
    words: "an estimate that cannot be true",
    breaking: () => ({ estimate: async () => ({ sizeBytes: Number.NaN }) }),
    caught: ["estimate() gives figures that can be true"],
  },
];

const brokenPushes: readonly Broken[] = [
  {
    words: "pushed requests that nobody checks",
    breaking: () => ({ verify: async () => [{ id: "1", body: { id: 1 } }] }),
    caught: ["verify() refuses a request that nobody signed"],
    capabilities: ["discover", "stream"],
  },
  {
    words: "an event with another id when it is replayed",
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
    words: "a change without its key",
    breaking: () => ({
      async *stream(events) {
        for await (const _ of events) yield { kind: "delete", table: PEOPLE.name, key: { name: "Ada" } };
      },
    }),
    caught: [STREAM],
    capabilities: ["discover", "stream"],
  },
  {
    words: "rows that are taken and lost",
    breaking: () => ({
      async write(_table, written) {
        let rows = 0;
        for await (const batch of written) rows += batch.numRows;
        return { rows };
      },
    }),
    caught: [WRITE],
  },
];

/** Every way to break a promise. */
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
