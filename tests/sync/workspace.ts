import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createAgnes, isAgnesError, type Agnes, type AgnesError, type AgnesOptions } from "agnes";
import { definePlugin, int64, table, timestamp, utf8, type ReadOptions, type Row } from "agnes/kit";
import * as v from "valibot";

/** A temporary folder, removed at the end of the scope. */
export function temporaryFolder(): { readonly path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), "agnes-sync-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** The data of a shop's connector, which tests change between syncs. */
export interface Shop {
  orders: Row[];
  people: Row[];
  /** Throws inside the read of this table. */
  broken?: "orders" | "people";
  /** Tables that discover no longer lists. */
  gone?: readonly string[];
  /** The request of each read. */
  readonly reads: { readonly table: string; readonly options: ReadOptions }[];
}

/** A source whose rows the test controls. */
export function shopPlugin(shop: Shop) {
  const tables = [
    table(
      "orders",
      { id: int64({ nullable: false }), person: utf8(), changed: timestamp() },
      { primaryKey: ["id"], cursor: "changed", description: "What was bought" },
    ),
    table("people", { name: utf8({ nullable: false }), city: utf8() }, { primaryKey: ["name"] }),
  ];
  return definePlugin({
    name: "shop",
    version: "1.0.0",
    description: "A shop in memory",
    capabilities: ["discover", "read"],
    options: v.strictObject({}),
    secrets: { SHOP_TOKEN: { description: "token of the shop", required: true } },
    connect: ({ secrets }) => ({
      discover: async () => tables.filter(({ name }) => !shop.gone?.includes(name)),
      async *read(info, options) {
        shop.reads.push({ table: info.name, options });
        yield [...(info.name === "orders" ? shop.orders : shop.people)];
        if (shop.broken === info.name) throw new Error(`refused with ${secrets.SHOP_TOKEN.reveal()}`);
      },
    }),
  });
}

/** A shop with a few rows. */
export function newShop(): Shop {
  return {
    orders: [
      { id: 1, person: "ann", changed: "2026-01-01" },
      { id: 2, person: "bob", changed: "2026-01-02" },
    ],
    people: [
      { name: "ann", city: "Brno" },
      { name: "bob", city: "Oslo" },
    ],
    reads: [],
  };
}

/** Opens a workspace over one shop, whose new tables are registered by default. */
export function openShop(
  directory: string,
  shop: Shop,
  options: Partial<AgnesOptions> & { readonly register?: "all" | "listed" } = {},
): Promise<Agnes> {
  const { register = "all", ...rest } = options;
  return createAgnes({
    workspace: directory,
    plugins: [shopPlugin(shop)],
    config: { version: 1, sources: { shop: { plugin: "shop", register } } },
    host: { env: { SHOP_TOKEN: "s3cret-token", USER: "tester" } },
    ...rest,
  });
}

/** Returns the `AgnesError` of failing work. */
export async function failureOf(work: Promise<unknown>): Promise<AgnesError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isAgnesError(error)) throw new Error(`expected an AgnesError, got ${String(error)}`);
  return error;
}
