import { expect, test } from "bun:test";

import { createAgnes, type Agnes, type AgnesError } from "agnes";
import {
  definePlugin,
  int64,
  table,
  utf8,
  type ColumnToDescribe,
  type MetadataChange,
  type WriteMetadataOptions,
} from "agnes/kit";
import * as v from "valibot";

import { temporaryFolder } from "../sync/workspace.ts";

const SECRET = "5ecret-of-the-ledger";

type Asked = Omit<WriteMetadataOptions, "signal"> & {
  readonly name: string;
  readonly columns: readonly ColumnToDescribe[];
};

/** What the source does with metadata. */
interface Ledger {
  readonly asked: Asked[];
  respond: (columns: readonly ColumnToDescribe[]) => readonly MetadataChange[] | null;
}

const written = (columns: readonly ColumnToDescribe[]): readonly MetadataChange[] =>
  columns.flatMap(({ name, description, type }) => [
    ...(description === undefined
      ? []
      : [
          {
            column: name,
            part: "description",
            outcome: "written",
            value: description,
            before: null,
          } satisfies MetadataChange,
        ]),
    ...(type === undefined
      ? []
      : [{ column: name, part: "type", outcome: "written", value: type, before: null } as const]),
  ]);

const common = {
  version: "1.0.0",
  description: "Rows in memory",
  options: v.strictObject({}),
  secrets: { LEDGER_TOKEN: { description: "token of the ledger", required: true } },
} as const;
const reading = {
  discover: async () => [table("scores", { id: int64(), name: utf8({ description: "theirs" }) })],
  async *read() {
    yield [{ id: 1, name: "one" }];
  },
};
const write = async () => ({ rows: 0 });

const plugins = (ledger: Ledger) => [
  definePlugin({
    ...common,
    name: "ledger",
    capabilities: ["discover", "read", "write"],
    connect: () => ({
      ...reading,
      write,
      async writeMetadata(name, columns, { signal: _signal, ...options }) {
        ledger.asked.push({ name, columns, ...options });
        return ledger.respond(columns);
      },
    }),
  }),
  definePlugin({
    ...common,
    name: "rows",
    capabilities: ["discover", "read", "write"],
    connect: () => ({ ...reading, write }),
  }),
  definePlugin({ ...common, name: "reader", capabilities: ["discover", "read"], connect: () => reading }),
];

async function withLedger(work: (agnes: Agnes, ledger: Ledger) => Promise<void>): Promise<void> {
  using folder = temporaryFolder();
  const ledger: Ledger = { asked: [], respond: written };
  await using agnes = await createAgnes({
    workspace: folder.path,
    plugins: plugins(ledger),
    config: {
      version: 1,
      sources: {
        book: { plugin: "ledger", register: "listed" },
        pages: { plugin: "rows", register: "listed" },
        paper: { plugin: "reader", register: "listed" },
      },
    },
    host: { env: { LEDGER_TOKEN: SECRET } },
  });
  const registry = await agnes.tables();
  const columnMetadata = { name: { description: "The name" }, id: { description: "Key", type: "BIGINT" } };
  const sourceTable = "scores";
  await registry.register({ source: "book", sourceTable, bucket: "main", columnMetadata });
  await registry.register({ source: "pages", sourceTable, name: "pages", columnMetadata });
  await registry.register({ source: "paper", sourceTable, name: "papers", columnMetadata });
  await work(agnes, ledger);
}

async function refusal(agnes: Agnes, name: string): Promise<AgnesError> {
  return (await agnes.pushMetadata({ table: name }).then(
    () => new Error("it was not refused"),
    (error: unknown) => error,
  )) as AgnesError;
}

test("pushMetadata() passes the registered columns to the source, and a dry run", async () => {
  await withLedger(async (agnes, ledger) => {
    const columns = [
      { name: "id", description: "Key", type: "BIGINT" },
      { name: "name", description: "The name" },
    ];
    const changes = written(columns);
    expect(await agnes.pushMetadata({ table: "scores", dryRun: true })).toEqual({
      source: "book",
      table: "book.scores",
      changes,
      dryRun: true,
    });
    expect(await agnes.pushMetadata({ table: "book.scores" })).toMatchObject({ dryRun: false });
    expect(ledger.asked).toEqual([
      { name: "scores", bucket: "main", columns, dryRun: true },
      { name: "scores", bucket: "main", columns, dryRun: false },
    ]);
  });
});

test("pushMetadata() rejects what the source cannot write", async () => {
  await withLedger(async (agnes, ledger) => {
    expect(await refusal(agnes, "papers")).toMatchObject({
      code: "capability_missing",
      details: { capability: "write" },
    });
    const rowsOnly = await refusal(agnes, "pages");
    expect([rowsOnly.code, rowsOnly.message]).toEqual([
      "write_refused",
      expect.stringContaining("the plugin rows writes rows, but no descriptions") as string,
    ]);
    expect(await refusal(agnes, "nothing")).toMatchObject({ code: "table_not_registered" });
    ledger.respond = () => null;
    expect(await refusal(agnes, "scores")).toMatchObject({ code: "table_vanished" });
  });
});

test("pushMetadata() rejects a table without metadata, before it connects", async () => {
  await withLedger(async (agnes, ledger) => {
    await (await agnes.tables()).update("book.scores", { columnMetadata: null });
    const error = await refusal(agnes, "scores");
    expect([error.code, error.hint]).toEqual([
      "write_refused",
      expect.stringContaining("agnes table update book.scores --column-metadata") as string,
    ]);
    expect(ledger.asked).toEqual([]);
  });
});

test("pushMetadata() requires one valid change for each value", async () => {
  await withLedger(async (agnes, ledger) => {
    const broken: readonly ((all: readonly MetadataChange[]) => unknown)[] = [
      (all) => all.slice(1),
      (all) => [...all, all[0]],
      (all) => [...all, { ...all[0]!, column: "other" }],
      (all) => all.map((one) => ({ ...one, value: "other" })),
      (all) => all.map((one) => ({ ...one, outcome: "done" })),
      () => ({ rows: 1 }),
    ];
    for (const change of broken) {
      ledger.respond = (columns) => change(written(columns)) as readonly MetadataChange[];
      expect(await refusal(agnes, "scores")).toMatchObject({ code: "plugin_failed" });
    }
  });
});

test("pushMetadata() shows no secret", async () => {
  await withLedger(async (agnes, ledger) => {
    ledger.respond = (columns) =>
      written(columns).map((one) => ({ ...one, outcome: "skipped", reason: `refused with ${SECRET}` }));
    expect(JSON.stringify(await agnes.pushMetadata({ table: "scores" }))).not.toContain(SECRET);
    ledger.respond = () => {
      throw new Error(`refused with ${SECRET}`);
    };
    expect((await refusal(agnes, "scores")).message).not.toContain(SECRET);
  });
});

test("describe() returns the registered descriptions before those of the source", async () => {
  await withLedger(async (agnes) => {
    const described = async () => {
      const { schema } = await agnes.describe("scores");
      return schema.map(({ name, description }) => [name, description]);
    };
    await agnes.sync();
    expect(await described()).toEqual([
      ["id", "Key"],
      ["name", "The name"],
    ]);
    await (await agnes.tables()).update("book.scores", { columnMetadata: null });
    expect(await described()).toEqual([
      ["id", ""],
      ["name", "theirs"],
    ]);
  });
});
