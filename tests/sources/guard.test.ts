import { describe, expect, test } from "bun:test";
import { inspect } from "node:util";

import { AgnesError } from "../../lib/base/mod.ts";
import { table, transient, type AnyConnector, type Batch, type FileChunk } from "../../lib/kit/mod.ts";
import { resultBatches, discoverTables } from "../../lib/sources/mod.ts";
import { STRANGE } from "../base/thrown.ts";
import { numbers, plugin } from "../plugins/example.ts";
import { connect, connectTo, drain, failureOf } from "./example.ts";

const signal = new AbortController().signal;
const readOptions = { batchRows: 10, signal };
const broken = () => Promise.reject(new Error("broken"));

async function* failing<T>(...values: T[]): AsyncGenerator<T, void, void> {
  yield* values;
  throw new Error("broken");
}

describe("a connector's failures", () => {
  const connector: AnyConnector = {
    discover: broken,
    read: () => failing<Batch>([{ n: 1 }]),
    verify: broken,
    stream: () => failing(),
    remote: () => {
      throw new Error("broken");
    },
    query: broken,
    estimate: broken,
    metadata: broken,
    write: broken,
    health: broken,
  };
  const all = ["discover", "read", "stream", "remote", "query", "metadata", "write"];

  test("a failure of each method is wrapped once with plugin, source, operation and table", async () => {
    const { connector: c } = await connectTo(connector, all);
    const none = (async function* () {})();
    const request = { method: "POST", url: "/", headers: {}, body: new Uint8Array() };
    const works: Record<string, () => unknown> = {
      discover: () => c.discover!({ signal }),
      read: () => drain(c.read!(numbers, readOptions)),
      verify: () => c.verify!(request),
      stream: () => drain(c.stream!(none, { tables: [], signal })),
      remote: () => c.remote!(),
      query: () => c.query!("SELECT 1", { signal }),
      estimate: () => c.estimate!("SELECT 1", { signal }),
      metadata: () => c.metadata!([], { signal }),
      write: () => c.write!(numbers, none as never, { mode: "append", signal }),
      health: () => c.health!({ signal }),
    };
    for (const [operation, work] of Object.entries(works)) {
      const error = (await failureOf((async () => work())())) as AgnesError;
      expect(error).toMatchObject({
        code: "plugin_failed",
        retry: "permanent",
        details: { plugin: "numbers", source: "s", operation, reason: "broken" },
      });
      expect((error.cause as Error).message).toBe("broken");
      const table = operation === "read" || operation === "write" ? "numbers" : undefined;
      expect((error.details as { table?: string }).table).toBe(table!);
    }
  });

  test.each(Object.entries(STRANGE))("a read that throws %s is plugin_failed", async (_name, make) => {
    const { connector: c } = await connectTo(
      {
        async *read() {
          yield* [];
          throw make("s3cret-value");
        },
      },
      ["read"],
      { TOKEN: "s3cret-value" },
    );
    const error = await failureOf(drain(c.read!(numbers, readOptions)));
    expect(error).toMatchObject({ code: "plugin_failed", details: { operation: "read", table: "numbers" } });
    expect(inspect(error, { depth: 6, showHidden: true })).not.toContain("s3cret-value");
  });

  test("a guarded connector has no methods that the original lacks", async () => {
    const { connector: c } = await connectTo({ metadata: async () => [] }, ["metadata"]);
    expect(Object.keys(c).sort()).toEqual(["close", "metadata"]);
  });

  test("an AgnesError keeps its code, advice and retry class", async () => {
    const { connector: c } = await connectTo(
      { metadata: () => Promise.reject(transient("busy", { retryAfterMs: 2000 })) },
      ["metadata"],
    );
    expect(await failureOf(c.metadata!([], { signal }))).toMatchObject({
      code: "plugin_failed",
      retry: "transient",
      hint: "The source requests a wait of 2 s; run it again after that.",
      details: { code: "source_unavailable", reason: "busy" },
    });
  });

  test("a wrapped error is not wrapped again, and an abort stays an abort", async () => {
    const inner = new AgnesError("plugin_failed", {
      plugin: "p",
      source: "q",
      operation: "read",
      reason: "r",
    });
    const wrapped = await connectTo({ metadata: () => Promise.reject(inner) }, ["metadata"]);
    expect(await failureOf(wrapped.connector.metadata!([], { signal }))).toBe(inner);
    const controller = new AbortController();
    const { connector: c } = await connectTo(
      {
        async *read(_table, options) {
          yield [];
          controller.abort(new AgnesError("timed_out", { what: "the run", timeoutMs: 1 }));
          options.signal.throwIfAborted();
        },
      },
      ["read"],
    );
    expect(
      await failureOf(drain(c.read!(numbers, { batchRows: 1, signal: controller.signal }))),
    ).toMatchObject({
      code: "timed_out",
    });
  });

  test("the problem of a discovered table is a failed read, without secrets", async () => {
    const problem = new AgnesError("source_path_empty", { path: "/data/s3cret" });
    const bad = table("bad", {}, { problem });
    const pages = async function* () {
      yield numbers;
      yield [bad];
    };
    for (const discover of [async () => [numbers, bad], pages]) {
      const handle = await connectTo({ discover }, ["discover"], { TOKEN: "s3cret" });
      const found = await discoverTables(handle);
      expect(found.map(({ name }) => name)).toEqual(["numbers", "bad"]);
      expect(found[1]!.problem).toMatchObject({ code: "source_path_empty" });
      expect(inspect(found[1]!.problem, { depth: 9, showHidden: true })).not.toContain("s3cret");
    }
  });

  test("a failure contains no secret, however deeply nested", async () => {
    const secret = "s3cret/value+x";
    const thrown = new Error(`asked https://x/?q=${encodeURIComponent(secret)}`, {
      cause: new AggregateError([new Error(secret)], secret),
    });
    const { connector: c } = await connectTo({ metadata: () => Promise.reject(thrown) }, ["metadata"], {
      TOKEN: secret,
    });
    const error = await failureOf(c.metadata!([], { signal }));
    const output = inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error) + String(error);
    expect(output).not.toContain(secret);
    expect(output).not.toContain(encodeURIComponent(secret));
    expect(error).toMatchObject({ details: { reason: "asked https://x/?q=[redacted]" } });
  });

  test("a thrown value that is not an Error is in the message", async () => {
    const { connector: c } = await connectTo({ metadata: () => Promise.reject({ status: 5 }) }, ["metadata"]);
    expect(await failureOf(c.metadata!([], { signal }))).toMatchObject({
      details: { reason: "it threw { status: 5 }" },
    });
  });
});

describe("a connector's iterables", () => {
  test("read() passes on batches and the result unchanged", async () => {
    const rows = [{ n: 1 }];
    const end = { state: 5 };
    const { connector: c } = await connectTo(
      {
        async *read() {
          yield rows;
          return end;
        },
      },
      ["read"],
    );
    const seen = await drain(c.read!(numbers, readOptions));
    expect(seen.all[0]).toBe(rows);
    expect(seen.end).toBe(end);
  });

  test("read() closes the plugin's iterator when the reader stops early", async () => {
    let closed = false;
    const { connector: c } = await connectTo(
      {
        async *read() {
          try {
            for (;;) yield [{ n: 1 }];
          } finally {
            closed = true;
          }
        },
      },
      ["read"],
    );
    for await (const _ of c.read!(numbers, readOptions)) break;
    expect(closed).toBe(true);
  });

  test("read() wraps a failure of a file chunk's bytes", async () => {
    const chunk: Batch = { kind: "file", format: "csv", data: failing(new Uint8Array(1)) };
    const { connector: c } = await connectTo(
      {
        async *read() {
          yield chunk;
        },
      },
      ["read"],
    );
    const { all } = await drain(c.read!(numbers, readOptions));
    const data = (all[0] as FileChunk).data as AsyncIterable<Uint8Array>;
    expect(await failureOf(drain(data))).toMatchObject({
      code: "plugin_failed",
      details: { table: "numbers" },
    });
  });

  test("read() that returns no iterable is a failure of the plugin", async () => {
    const { connector: c } = await connectTo({ read: () => undefined as never }, ["read"]);
    expect(await failureOf(drain(c.read!(numbers, readOptions)))).toMatchObject({ code: "plugin_failed" });
  });

  test("query() wraps a failure between batches", async () => {
    const { connector: c } = await connectTo(
      { query: async () => ({ schema: numbers.schema, batches: failing<Batch>([]) }) },
      ["query"],
    );
    const { batches, schema } = await c.query!("SELECT 1", { signal });
    expect(schema).toBe(numbers.schema);
    expect(await failureOf(drain(batches!))).toMatchObject({ details: { operation: "query" } });
  });

  test("query() wraps a failure of each part, and rejects invalid parts", async () => {
    const parts = [async function* () {}, () => failing<Batch>([])];
    const { connector: c } = await connectTo({ query: async () => ({ schema: numbers.schema, parts }) }, [
      "query",
    ]);
    const result = await c.query!("SELECT 1", { signal });
    expect(result).toMatchObject({ schema: numbers.schema });
    const failed = await failureOf(drain(resultBatches(result, { signal })));
    expect(failed).toMatchObject({ code: "plugin_failed", details: { operation: "query" } });
    const bad = [numbers.schema] as never;
    const { connector: other } = await connectTo(
      { query: async () => ({ schema: numbers.schema, parts: bad }) },
      ["query"],
    );
    expect(await failureOf(other.query!("SELECT 1", { signal }))).toMatchObject({
      message: expect.stringContaining("not a list of functions"),
    });
  });

  test("write() and stream() throw the error of their input, not a failure of the plugin", async () => {
    const ours = new AgnesError("disk_full", { path: "x" });
    async function* failing(): AsyncGenerator<never, void, void> {
      yield await Promise.reject<never>(ours);
    }
    const { connector: c } = await connectTo(
      {
        async write(_table, batches) {
          for await (const _ of batches);
          return { rows: 0 };
        },
        verify: async () => [],
        async *stream(events) {
          for await (const { id } of events) yield { kind: "delete", table: "numbers", key: { n: id } };
        },
      },
      ["write", "stream"],
    );
    expect(await failureOf(c.write!(numbers, failing(), { mode: "append", signal }))).toBe(ours);
    expect(await failureOf(drain(c.stream!(failing(), { tables: [], signal })))).toBe(ours);
  });

  test.each([
    null,
    undefined,
    7,
    {},
    { kind: "upsert", table: "numbers" },
    { kind: "delete", key: { n: 1 } },
    { kind: "replace", table: "numbers", parent: {}, rows: [] },
    { kind: "replace", table: "numbers", parent: { n: 1 } },
    { kind: "replace", table: "numbers", parent: { n: 1 }, rows: [null] },
  ])("stream() that yields %p is rejected as not a change", async (value) => {
    const stream = async function* () {
      yield value as never;
    };
    const { connector: c } = await connectTo({ verify: async () => [], stream }, ["stream"]);
    const none = (async function* () {})();
    const error = await failureOf(drain(c.stream!(none, { tables: [], signal })));
    expect(error).toMatchObject({ code: "plugin_failed", message: expect.stringContaining("not a change") });
  });

  test.each([
    [null, "not a list of events"],
    [[{ id: 7, body: 1 }], "the id 7; an id is a non-empty text"],
    [[{ id: "a" }], 'the event "a" without a body'],
    [[{ id: "a", body: 1, orderingKey: 5 }], "the ordering key 5; an ordering key is a text"],
  ])("verify() that returns %p is a failure of the plugin", async (events, reason) => {
    const stream = async function* () {};
    const { connector: c } = await connectTo({ verify: async () => events as never, stream }, ["stream"]);
    const request = { method: "POST", url: "http://localhost/", headers: {}, body: new Uint8Array() };
    const error = await failureOf(c.verify!(request));
    expect(error).toMatchObject({ code: "plugin_failed", message: expect.stringContaining(reason) });
  });

  test.each([null, undefined, 7])(
    "read() and query() pass on %p, which their readers reject",
    async (value) => {
      const batches = async function* () {
        yield value as never;
      };
      const original = { read: batches, query: async () => ({ schema: numbers.schema, batches: batches() }) };
      const { connector: c } = await connectTo(original, ["read", "query"]);
      expect((await drain(c.read!(numbers, readOptions))).all).toEqual([value as never]);
      const { batches: rows } = await c.query!("SELECT 1", { signal });
      expect((await drain(rows!)).all).toEqual([value as never]);
    },
  );

  test("methods keep the `this` of a class connector", async () => {
    class Own {
      readonly rows = 7;
      async metadata() {
        return [{ name: "numbers", rows: this.rows }];
      }
    }
    const { connector: c } = await connectTo(new Own() as AnyConnector, ["metadata"]);
    expect(await c.metadata!([], { signal })).toEqual([{ name: "numbers", rows: 7 }]);
  });
});

describe("a connector that returns a wrong type", () => {
  test("a read that returns a list or a promise of one gets a hint to yield", async () => {
    for (const given of [[{ n: 1 }], Promise.resolve([{ n: 1 }]), undefined]) {
      const { connector: c } = await connectTo({ read: () => given as never }, ["read"]);
      const error = (await failureOf(drain(c.read!(numbers, readOptions)))) as AgnesError;
      expect(error.code).toBe("plugin_failed");
      expect(error.message).toContain(
        "which is not an async iterable; write it as `async *read(…)` with `yield`",
      );
    }
  });

  test("a discover that does not return a list is reported", async () => {
    const { connector: c } = await connectTo({ discover: () => undefined as never }, ["discover"]);
    const error = (await failureOf((async () => c.discover!({ signal }))())) as AgnesError;
    expect(error.message).toContain("it returned undefined, which is not a list of tables");
  });

  test("a read that never waits does not block timers and signals", async () => {
    async function* endless() {
      for (;;) yield [];
    }
    const { connector: c } = await connectTo({ read: endless }, ["read"]);
    let isOver = false;
    setTimeout(() => (isOver = true), 1);
    for await (const _ of c.read!(numbers, readOptions)) if (isOver) break;
    expect(isOver).toBe(true);
  });
});

test("remote() of a connected source returns no secret", async () => {
  const secrets = { TOKEN: { description: "token", required: true } } as const;
  const attach = { alias: "db", extension: "postgres", url: "postgres://host", tokenEnv: "TOKEN" };
  for (const url of ["postgres://host", "postgres://hush-hush@host"]) {
    const used = plugin({
      capabilities: ["remote"],
      secrets,
      connect: () => ({ remote: () => ({ ...attach, url }) }),
    });
    const { handle } = await connect(used, {}, { host: { env: { TOKEN: "hush-hush" } } });
    const remote = () => handle.connector.remote!();
    if (url === attach.url) expect(remote()).toEqual(attach);
    else expect(remote).toThrow("the url that remote() returns contains the value of a secret");
  }
});
