import { afterAll } from "bun:test";

import type { Agnes, PushedDown, Receipt } from "agnes";

import { temporaryFolder } from "../sync/workspace.ts";
import { openLiveShop, type Ask, type LiveBy } from "./live-shop.ts";

interface Shop {
  readonly agnes: Agnes;
  readonly asks: Ask[];
}

interface Asked {
  readonly asks: readonly Ask[];
  readonly receipt: Receipt;
  readonly pushed: readonly (PushedDown | undefined)[];
}

interface LiveShops {
  /** One workspace for each way, opened when it is first needed. */
  readonly shopOf: (remote: readonly string[], by: LiveBy) => Promise<Shop>;
  /** Runs SQL over live tables, and gives what their connector was asked for, with the receipt. */
  readonly asked: (sql: string, remote?: readonly string[], by?: LiveBy, limit?: number) => Promise<Asked>;
}

/** Workspaces with live tables, for the tests of one file. */
export function liveShops(): LiveShops {
  const folders: ReturnType<typeof temporaryFolder>[] = [];
  const shops = new Map<string, Promise<Shop>>();

  afterAll(async () => {
    for (const shop of shops.values()) await (await shop).agnes.close();
    for (const folder of folders) folder[Symbol.dispose]();
  });

  async function openShop(remote: readonly string[], by: LiveBy): Promise<Shop> {
    const folder = temporaryFolder();
    folders.push(folder);
    const asks: Ask[] = [];
    return { asks, agnes: await openLiveShop(folder.path, { remote, asks, by }) };
  }

  function shopOf(remote: readonly string[], by: LiveBy): Promise<Shop> {
    const key = `${by} ${remote.join()}`;
    const known = shops.get(key) ?? openShop(remote, by);
    shops.set(key, known);
    return known;
  }

  return {
    shopOf,
    asked: async (sql, remote = ["b"], by = "read", limit) => {
      const { agnes, asks } = await shopOf(remote, by);
      asks.length = 0;
      const receipt = await run(agnes, sql, limit);
      return { asks: [...asks], receipt, pushed: receipt.remotes.map(({ pushedDown }) => pushedDown) };
    },
  };
}

/** Runs SQL to its end. */
export async function run(agnes: Agnes, sql: string, rows?: number): Promise<Receipt> {
  const answer = await agnes.query(sql, rows === undefined ? {} : { limits: { maxRows: rows } });
  for await (const _batch of answer.batches);
  return answer.receipt();
}
