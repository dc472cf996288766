import { expect, test } from "bun:test";

import * as arrow from "apache-arrow";

import { int64, toSchema, utf8, type SourceQueryOptions } from "../../../lib/kit/mod.ts";
import type { HybridSources } from "../../../lib/query/mod.ts";
import type { Ask, FromAsker, ToAsker } from "../../../lib/query/workers/remote/messages.ts";
import { RemoteWork } from "../../../lib/query/workers/remote/remote-work.ts";
import { KnownTables } from "../../../lib/query/workers/remote/table-work.ts";
import type { LiveRequest } from "../../../lib/sources/mod.ts";
import { testServices } from "../published.ts";
import { until } from "./isolated.ts";

const schema = toSchema({ id: int64(), name: utf8() });

/** The parent's side of a query, and a worker that runs any code. */
function forged(options: {
  readonly access?: ReadonlySet<string> | null;
  readonly referenced?: readonly string[];
}) {
  const read: LiveRequest[] = [];
  const ran: string[] = [];
  const users: (string | undefined)[] = [];
  const received: ToAsker[] = [];
  const connector = {
    estimate: async (_: string, { user }: SourceQueryOptions) => {
      users.push(user);
      return { statementType: "SELECT", referencedTables: options.referenced ?? ["a"] };
    },
    query: async (sql: string, { user }: SourceQueryOptions) => {
      users.push(user);
      ran.push(sql);
      return { schema, batches: (async function* () {})() };
    },
  };
  const record = {
    id: "s.a",
    source: "s",
    viewName: "a",
    sourceTable: "a",
    bucket: null,
    columns: null,
    namespace: "p",
  };
  const sources = {
    pluginOf: () => ({ name: "spy", capabilities: ["query"] }),
    open: async () => ({ connector, secrets: [], close: async () => {} }),
    tables: async () => [
      { ...record, whereFilters: [], sourceQuery: null },
      { ...record, id: "s.b", viewName: "b", sourceTable: "b", whereFilters: [], sourceQuery: null },
    ],
  } as unknown as HybridSources;
  const newWork = (accessible: readonly string[]) =>
    new RemoteWork({
      services: testServices(),
      sources,
      live: async () => ({
        schema,
        narrow: (request) => request,
        open(request, _, caller) {
          users.push(caller?.user);
          read.push(request);
          return (async function* () {
            yield new arrow.RecordBatch(schema);
          })();
        },
      }),
      register: {
        p: { source: "s", sql: "SELECT 1" },
        k: { source: "s", sql: "SELECT @keys", keys: "SELECT 1" },
      },
      user: "ann",
      access: options.access ?? null,
      accessible: async () => new Set(accessible),
      onEnding: () => {},
    });
  const tables = new KnownTables();
  const begun = (accessible: readonly string[]) => {
    const work = newWork(accessible);
    work.begin({ send: (message) => received.push(message), sendBytes: () => {}, tables });
    let id = 0;
    return async (ask: unknown): Promise<ToAsker> => {
      id += 1;
      const before = received.length;
      work.receive({ type: "ask", id, ask: ask as Ask });
      await until(() => received.length > before);
      return received.at(-1)!;
    };
  };
  return { read, ran, users, begun };
}

const request = (more: object = {}) => ({ columns: ["id"], filter: [], ...more });
const refused = (what: string) => ({
  type: "refused",
  error: { code: "internal", message: expect.stringContaining(what) },
});

test("a worker gets no table that the caller of its query may not access", async () => {
  const { begun, read } = forged({});
  const first = begun(["s.a"]);
  expect(await first({ kind: "resolve", source: "s", name: "b" })).toMatchObject({
    type: "reply",
    value: null,
  });
  expect(await first({ kind: "resolve", source: "s", name: "a" })).toMatchObject({ value: { table: 0 } });
  // It knows the number from the query of another caller.
  const second = begun(["s.c"]);
  for (const kind of ["narrow", "read"])
    expect(await second({ kind, table: 0, request: request() })).toMatchObject(refused("may not access"));
  expect(await second({ kind: "read", table: 1, request: request() })).toMatchObject(
    refused("has not found"),
  );
  expect(await second({ kind: "read", table: "__proto__", request: request() })).toMatchObject({
    type: "refused",
  });
  expect(read).toEqual([]);
});

test.each([
  { columns: ["id; DROP TABLE x"] },
  { columns: "id" },
  { limit: "1; DROP TABLE x" },
  { limit: -1 },
  { filter: [{ column: "secret", operator: "eq", values: [1] }] },
  { filter: [{ column: "id", operator: "= 1 OR", values: [1] }] },
  { filter: [{ column: "id", operator: "eq", values: [["x"]] }] },
  { filter: [{ column: "id", operator: "eq", values: [null] }] },
  { filter: [{ column: "id", operator: "eq", values: ["1 OR true"], isDecimal: true }] },
])("a worker cannot request %o", async (more) => {
  const { begun, read } = forged({});
  const ask = begun(["s.a"]);
  await ask({ kind: "resolve", source: "s", name: "a" });
  expect(await ask({ kind: "read", table: 0, request: request(more) })).toMatchObject({ type: "refused" });
  expect(read).toEqual([]);
  expect(await ask({ kind: "read", table: 0, request: request() })).toMatchObject({ type: "reply" });
});

test("sources get the user of the query, which the worker cannot name", async () => {
  const { begun, users } = forged({});
  const ask = begun(["s.a"]);
  const user = "ben";
  await ask({ kind: "resolve", source: "s", name: "a" });
  await ask({ kind: "read", table: 0, request: request(), user });
  await ask({ kind: "estimate", alias: "p", keys: null, user });
  expect(users).toEqual(["ann", "ann"]);
});

test("a worker runs only the aliases of its query, each once, after all estimates and with the right keys", async () => {
  const { begun, ran } = forged({});
  const ask = begun([]);
  const keys = { schema: "", values: [] };
  const run = (alias: string) => ask({ kind: "run", alias });
  const estimate = (alias: string, own: object | null = null) => ask({ kind: "estimate", alias, keys: own });
  expect(await estimate("other")).toMatchObject(refused("does not have"));
  expect(await run("p")).toMatchObject(refused("to run the alias p"));
  expect(await estimate("p")).toMatchObject({ type: "reply" });
  expect(await estimate("p")).toMatchObject(refused("a second estimate"));
  expect(await run("p")).toMatchObject(refused("before all estimates"));
  expect(await estimate("k")).toMatchObject(refused("other keys"));
  expect(await estimate("k", keys)).toMatchObject({ type: "refused" });
  expect(ran).toEqual([]);
});

test("a worker runs no alias whose tables its caller may not access", async () => {
  const { begun, ran } = forged({ access: new Set(["s.a"]), referenced: ["a", "b"] });
  const ask = begun(["s.a"]);
  expect(await ask({ kind: "tables" })).toMatchObject({ value: [{ id: "s.a", namespace: "p" }] });
  expect(await ask({ kind: "estimate", alias: "p", keys: null })).toMatchObject({
    error: { code: "alias_access_denied" },
  });
  expect(await ask({ kind: "run", alias: "p" })).toMatchObject({ type: "refused" });
  expect(ran).toEqual([]);
});

test("a worker that asks for too much at once, or pulls what it did not ask for, gets nothing", async () => {
  const received: ToAsker[] = [];
  const work = new RemoteWork({
    services: testServices(),
    sources: {} as HybridSources,
    live: async () => new Promise(() => {}),
    register: {},
    user: undefined,
    access: null,
    accessible: async () => new Set(["s.a"]),
    onEnding: () => {},
  });
  work.begin({
    send: (message) => received.push(message),
    sendBytes: () => {},
    tables: new KnownTables(),
  });
  const ask: Ask = { kind: "resolve", source: "s", name: "a" };
  for (let id = 1; id <= 1001; id++) work.receive({ type: "ask", id, ask });
  expect(received).toMatchObject([{ id: 1001, ...refused("too much") }]);
  work.receive({ type: "pull", id: 5000 });
  work.receive({ type: "drop", id: 5000 } satisfies FromAsker);
  expect(received).toHaveLength(1);
  work.close();
});
