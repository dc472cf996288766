import { expect, test } from "bun:test";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { createAgnes, isAgnesError } from "agnes";
import { definePlugin, int64, table, utf8, type Batch, type TableInfo } from "agnes/kit";
import * as v from "valibot";

import { createLog, type LogEntry } from "../../lib/base/mod.ts";
import { temporaryFolder } from "./workspace.ts";

const SECRET = "plain-secret-12345";
/** Long enough to be truncated in output. */
const LONG = `${SECRET}-${"x".repeat(200)}`;

interface Scenario {
  readonly tables?: readonly TableInfo[];
  readonly batches?: readonly unknown[];
  readonly health?: unknown;
  readonly connector?: object;
  readonly token?: string;
}

const columns = { id: int64(), name: utf8() };
const plain = table("t", columns, { primaryKey: ["id"] });

function pluginOf({ tables = [plain], batches = [], health, connector = {} }: Scenario) {
  return definePlugin({
    name: "evil",
    version: "1.0.0",
    description: "Puts its secret into what it returns",
    capabilities: ["discover", "read", "query"],
    options: v.strictObject({}),
    secrets: { EVIL_TOKEN: { description: "token", required: true } },
    connect: () => ({
      discover: async () => tables,
      async *read() {
        yield* batches as readonly Batch[];
      },
      query: () => Promise.reject(new Error("not asked")),
      ...(health === undefined ? {} : { health: async () => health as never }),
      ...connector,
    }),
  });
}

/** Everything that a sync, a health check and a discovery return, log and write. */
async function outputOf(
  scenario: Scenario,
  then?: (agnes: Awaited<ReturnType<typeof createAgnes>>) => Promise<unknown>,
) {
  using folder = temporaryFolder();
  const log: LogEntry[] = [];
  const kept: unknown[] = [];
  const keep = async (work: () => Promise<unknown>) => {
    kept.push(await work().catch((error: unknown) => error));
  };
  {
    await using agnes = await createAgnes({
      workspace: folder.path,
      plugins: [pluginOf(scenario)],
      config: { version: 1, sources: { ev: { plugin: "evil", register: "all" } } },
      host: { env: { EVIL_TOKEN: scenario.token ?? SECRET, USER: "tester" } },
      log: createLog((entry) => log.push(entry)),
    });
    await keep(() => agnes.sync());
    await keep(() => agnes.connectors.health("ev"));
    await keep(() => agnes.connectors.discover("ev"));
    if (then !== undefined) await keep(() => then(agnes));
  }
  const names = (await readdir(folder.path, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !entry.parentPath.includes("quarantine"))
    .map((entry) => join(entry.parentPath, entry.name));
  const files = await Promise.all(names.map(async (path) => `${path}\n${await readFile(path, "latin1")}`));
  return [Bun.inspect(kept, { depth: 20 }), textOf(kept), textOf(log), ...files].join("\n");
}

function textOf(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => {
    if (typeof item === "bigint") return String(item);
    if (isAgnesError(item)) return { ...item.toJSON(), cause: String(item.cause), stack: item.stack };
    return item instanceof Error ? [item.message, item.stack] : item;
  });
}

const cases: readonly (readonly [what: string, scenario: Scenario, shows: string])[] = [
  ["a health check", { health: { ok: false, message: `h ${SECRET}`, status: [SECRET] } }, "h [redacted]"],
  ["the key of a row", { batches: [[{ id: 1, [SECRET]: 1 }]] }, "[redacted]"],
  ["a value that does not fit", { batches: [[{ id: SECRET, name: "a" }]] }, "[redacted]"],
  ["a value that is cut where it is shown", { batches: [[{ id: LONG }]], token: LONG }, "[redacted]"],
  ["a batch that is a text", { batches: [SECRET] }, "[redacted]"],
  ["the name of a table", { tables: [table(`t_${SECRET}`, columns)] }, "the name of a table"],
  [
    "the name of a column",
    { tables: [table("t", { [`c_${SECRET}`]: utf8() })] },
    "the name of a column of table t",
  ],
  ["a description", { tables: [table("t", columns, { description: `d ${SECRET}` })] }, "d [redacted]"],
  ["a note", { tables: [table("t", columns, { notes: [`n ${SECRET}`] })] }, "n [redacted]"],
  ["a key that no column has", { tables: [table("t", columns, { primaryKey: [SECRET] })] }, "[redacted]"],
  ["a capability", { tables: [table("t", columns, { capabilities: [SECRET as "read"] })] }, "[redacted]"],
  [
    "the state that a read returns",
    {
      connector: {
        async *read() {
          yield [{ id: 1, name: "a" }];
          return { state: { next: `https://example.com/?token=${SECRET}` } };
        },
      },
    },
    "the state that the read returned contains the value of a secret",
  ],
  ["a method's name", { connector: { [SECRET]: () => 1, write: () => 1 } }, "write"],
];

for (const [what, scenario, shows] of cases) {
  test(`a secret that a plugin puts into ${what} is in no output, log or file`, async () => {
    const output = await outputOf(scenario);
    expect(output).toContain(shows);
    const at = output.indexOf(SECRET);
    expect(at < 0 ? "" : output.slice(Math.max(0, at - 200), at + 40)).toBe("");
  });
}

test("a secret in invalid rows of a live query is not in its error", async () => {
  const scenario = { batches: [[{ id: SECRET, name: "a" }]] };
  let failure: unknown;
  const output = await outputOf(scenario, async (agnes) => {
    const tables = await agnes.tables();
    await tables.update("ev.t", { queryMode: "remote" });
    await agnes.sync();
    failure = await agnes.rows("SELECT id FROM t").catch((error: unknown) => error);
  });
  expect(textOf(failure)).toContain("[redacted]");
  expect(`${output}${textOf(failure)}`).not.toContain(SECRET);
});

test("names and descriptions that contain a short secret are unchanged", async () => {
  const described = table("orders_log", columns, { description: "orders" });
  const output = await outputOf({ tables: [described], batches: [[{ id: 1, name: "a" }]], token: "orders" });
  expect(output).toContain('"ev.orders_log"');
  expect(output).toContain('"description":"orders"');
});
