import { expect, test } from "bun:test";

import { createAgnes, type Agnes } from "agnes";
import { definePlugin, int64, table, timestamp, type AnyPlugin } from "agnes/kit";
import * as v from "valibot";

import { registrationOrder } from "../../lib/sync/registration-order.ts";
import { temporaryFolder } from "./workspace.ts";

/** A promise with an exposed resolve function. */
function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

/** A plugin of one table; the test controls when it continues. */
function plugin(
  name: string,
  steps: { readonly discover?: () => Promise<unknown>; readonly read?: () => Promise<unknown> },
  tableName = name,
): AnyPlugin {
  return definePlugin({
    name,
    version: "1.0.0",
    description: "A source that waits",
    capabilities: ["discover", "read"],
    options: v.strictObject({}),
    secrets: {},
    connect: () => ({
      async discover() {
        await steps.discover?.();
        return [table(tableName, { n: int64() })];
      },
      async *read() {
        await steps.read?.();
        yield [{ n: 1 }];
      },
    }),
  });
}

function open(workspace: string, plugins: readonly AnyPlugin[]): Promise<Agnes> {
  const sources = Object.fromEntries(plugins.map(({ name }) => [name, { plugin: name }]));
  return createAgnes({ workspace, plugins, config: { version: 1, sources } });
}

test("sync() runs sources at once, and reports them in the order of agnes.yaml", async () => {
  using folder = temporaryFolder();
  const [first, second] = [gate(), gate()];
  // Each continues only after the other has started.
  const one = plugin("one", { read: async () => (first.open(), await second.opened) });
  const two = plugin("two", { read: async () => (second.open(), await first.opened) });
  await using agnes = await open(folder.path, [one, two]);
  const ended: string[] = [];
  const { status, sources } = await agnes.sync({ onSource: ({ source }) => void ended.push(source) });
  expect({ status, names: sources.map(({ source }) => source) }).toEqual({
    status: "complete",
    names: ["one", "two"],
  });
  expect(ended.toSorted()).toEqual(["one", "two"]);
});

test("sync() publishes a finished source while another does not respond", async () => {
  using folder = temporaryFolder();
  const stalled = gate();
  const plugins = [plugin("one", { read: () => stalled.opened }), plugin("two", {})];
  await using agnes = await open(folder.path, plugins);
  const done = gate();
  const syncing = agnes.sync({ onSource: done.open });
  await done.opened;
  let rows: readonly unknown[] | null = null;
  while (rows === null) rows = await agnes.rows("SELECT n FROM two").catch(() => null);
  expect(rows).toEqual([{ n: 1 }]);
  expect((await agnes.catalog()).map(({ id }) => id)).toEqual(["two.two"]);
  stalled.open();
  expect((await syncing).status).toBe("complete");
  expect(await agnes.rows("SELECT n FROM one")).toEqual([{ n: 1 }]);
});

test("sync() assigns a view name to the first source in agnes.yaml, regardless of response times", async () => {
  using folder = temporaryFolder();
  const answered = gate();
  const slow = plugin("slow", { discover: () => answered.opened }, "orders");
  const quick = plugin("quick", { discover: async () => answered.open() }, "orders");
  await using agnes = await open(folder.path, [slow, quick]);
  await agnes.sync();
  const views = (await (await agnes.tables()).list()).map(({ id, viewName: view }) => [id, view]);
  expect(Object.fromEntries(views)).toEqual({ "slow.orders": "orders", "quick.orders": "quick_orders" });
});

test("registrationOrder() limits the wait for a source that does not list its tables", async () => {
  const { signal } = new AbortController();
  const waits: number[] = [];
  const late = registrationOrder({ sleep: async (durationMs) => void waits.push(durationMs) }, [
    "a",
    "b",
    "c",
  ]);
  await late("a").begin(signal);
  await late("c").begin(signal);
  expect(waits).toEqual([10_000]);
  const never = registrationOrder({ sleep: () => new Promise(() => {}) }, ["a", "b", "c"]);
  let hasBegun = false;
  const begun = never("c")
    .begin(signal)
    .then(() => (hasBegun = true));
  never("a").end();
  await new Promise((resolve) => setImmediate(resolve));
  expect(hasBegun).toBe(false);
  never("b").end();
  await begun;
});

test("sync() runs at most the configured number of sources at once", async () => {
  using folder = temporaryFolder();
  let running = 0;
  let most = 0;
  const read = async () => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
  };
  const plugins = ["a", "b", "c", "d", "e"].map((name) => plugin(name, { read }));
  await using agnes = await open(folder.path, plugins);
  await agnes.sync({ concurrency: 1 });
  expect(most).toBe(1);
});

test("sync() stops all sources when it is aborted, and reports the failure of one beside the others", async () => {
  using folder = temporaryFolder();
  const controller = new AbortController();
  const hang = () => new Promise<never>(() => {});
  const plugins = [plugin("one", { read: hang }), plugin("two", { read: hang })];
  await using agnes = await open(folder.path, plugins);
  const begun = gate();
  const syncing = agnes
    .sync({ signal: controller.signal, onProgress: begun.open })
    .catch((error: unknown) => error);
  await begun.opened;
  controller.abort();
  expect(await syncing).toMatchObject({ code: "aborted" });
  const fails = plugin("three", { read: () => Promise.reject(new Error("refused")) });
  await using other = await open(folder.path, [fails, plugin("two", {})]);
  const { status, sources } = await other.sync();
  expect(status).toBe("partial");
  expect(sources.map((source) => source.status)).toEqual(["failed", "complete"]);
});

test("sync() shows the windows of a first load that were published before it was stopped", async () => {
  using folder = temporaryFolder();
  const controller = new AbortController();
  let reads = 0;
  const events = definePlugin({
    name: "events",
    version: "1.0.0",
    description: "Events of three months",
    capabilities: ["discover", "read"],
    options: v.strictObject({}),
    secrets: {},
    connect: () => ({
      discover: async () => [
        table("events", { id: int64(), at: timestamp() }, { primaryKey: ["id"], cursor: "at" }),
      ],
      async *read(_table, { window }) {
        reads += 1;
        if (reads > 1) {
          controller.abort();
          await new Promise<never>(() => {});
        }
        yield [{ id: 1, at: new Date(window!.from!.getTime() + 1000) }];
      },
    }),
  });
  await using agnes = await open(folder.path, [events]);
  await (
    await agnes.tables()
  ).register({
    source: "events",
    sourceTable: "events",
    syncStrategy: "incremental",
    maxHistoryDays: 90,
    initialLoadChunkDays: 30,
  });
  const stopped = await agnes.sync({ signal: controller.signal }).catch((error: unknown) => error);
  expect(stopped).toMatchObject({ code: "aborted" });
  expect(await agnes.rows("SELECT id FROM events")).toEqual([{ id: 1 }]);
});
