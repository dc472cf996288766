import { join } from "node:path";

import { createAgnes, type Agnes, type AgnesOptions } from "agnes";
import {
  definePlugin,
  int64,
  table,
  utf8,
  type Capability,
  type Change,
  type PushEvent,
  type Row,
  type TableInfo,
} from "agnes/kit";
import * as v from "valibot";

import { createHost } from "../../lib/base/mod.ts";
import { Spool } from "../../lib/push/mod.ts";

/** What the source `desk` has, which tests change between syncs. */
export interface Desk {
  tables: readonly TableInfo[];
  /** The rows that a read of a table yields, from its cursor on; missing: the table has no rows. */
  rows: Record<string, readonly Row[]>;
  /** The table whose read fails, or `stream`. */
  broken?: string;
  /** Called while a table is read. */
  onRead?: () => Promise<void>;
}

export const columns = { id: int64({ nullable: false }), title: utf8(), version: int64() };
/** Rows with versions. */
export const tickets = table("tickets", columns, { primaryKey: ["id"], cursor: "version" });
/** Rows without versions. */
export const labels = table("labels", columns, { primaryKey: ["id"] });

export const upsert = (name: string, id: number, title: string, version: number | null = null): Change => ({
  kind: "upsert",
  table: name,
  row: { id, title, version },
});
export const remove = (name: string, id: number, version?: number): Change => ({
  kind: "delete",
  table: name,
  key: { id, ...(version === undefined ? {} : { version }) },
});

/** A plugin whose events are changes. */
function deskPlugin(desk: Desk, capabilities: readonly Capability[]) {
  const can = (capability: Capability) => capabilities.includes(capability);
  return definePlugin({
    name: "desk",
    version: "1.0.0",
    description: "Tickets in memory",
    capabilities: capabilities as never,
    options: v.strictObject({}),
    secrets: {},
    connect: () =>
      ({
        ...(can("discover") && { discover: async () => desk.tables }),
        ...(can("read") && {
          async *read({ name }: TableInfo, { cursor }: { cursor?: { value: unknown } }) {
            await desk.onRead?.();
            if (desk.broken === name) throw new Error("the desk is closed");
            const rows = desk.rows[name] ?? [];
            yield rows.filter(
              ({ version }) => cursor === undefined || Number(version) >= Number(cursor.value),
            );
          },
        }),
        verify: async () => [],
        async *stream(events: AsyncIterable<PushEvent>) {
          for await (const { body } of events) {
            if (desk.broken === "stream") throw new Error("the desk is closed");
            yield* body as unknown as readonly Change[];
          }
        },
      }) as never,
  });
}

/** Opens a workspace with the source `desk`. */
export function openDesk(
  directory: string,
  desk: Desk,
  capabilities: readonly Capability[] = ["discover", "stream"],
  options: Partial<AgnesOptions> = {},
): Promise<Agnes> {
  return createAgnes({
    workspace: directory,
    plugins: [deskPlugin(desk, capabilities)],
    config: { version: 1, sources: { desk: { plugin: "desk" } } },
    ...options,
  });
}

/** Registers `tickets` for incremental reads. */
export async function registerIncremental(agnes: Agnes): Promise<void> {
  const name = "tickets";
  const tables = await agnes.tables();
  await tables.register({ source: "desk", name, sourceTable: name, syncStrategy: "incremental" });
}

let nextEvent = 1;

/** Spools one event for each list of changes, as a server does. */
export async function push(
  directory: string,
  ...lists: readonly (readonly Change[])[]
): Promise<readonly PushEvent[]> {
  const events = lists.map((changes) => ({ id: `e${nextEvent++}`, body: changes as never }));
  await spoolOf(directory).append(events);
  return events;
}

export const spoolOf = (directory: string) =>
  new Spool(createHost(), join(directory, "data", "extracts", "desk"));

/** The rows of a table as `id title`, in the order of their ids. */
export async function titles(agnes: Agnes, name: string): Promise<readonly string[]> {
  const rows = await agnes.rows<{ t: string }>(`SELECT id || ' ' || title AS t FROM ${name} ORDER BY id`);
  return rows.map(({ t }) => t);
}

/** Syncs and returns the report of the source. */
export async function syncDesk(agnes: Agnes, options: Parameters<Agnes["sync"]>[0] = {}) {
  const report = await agnes.sync(options);
  return { ...report.sources[0]!, whole: report };
}

/** The source of the crash test, after its events. */
export const crashDesk = (): Desk => ({
  tables: [tickets, labels],
  rows: {
    tickets: [
      { id: 1, title: "one", version: 1 },
      { id: 3, title: "read", version: 3 },
    ],
    labels: [{ id: 7, title: "red", version: null }],
  },
});
