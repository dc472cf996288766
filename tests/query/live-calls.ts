import { afterAll } from "bun:test";

import type { Agnes, PushedDown, Receipt } from "agnes";

import { temporaryFolder } from "../sync/workspace.ts";
import { openLiveShop, type ConnectorCall, type LiveBy } from "./live-shop.ts";

interface Shop {
  readonly agnes: Agnes;
  readonly calls: ConnectorCall[];
}

interface LiveRun {
  readonly calls: readonly ConnectorCall[];
  readonly receipt: Receipt;
  readonly pushed: readonly (PushedDown | undefined)[];
}

interface LiveShops {
  /** Returns the workspace of a setup, opened on first use. */
  readonly shopOf: (remote: readonly string[], by: LiveBy) => Promise<Shop>;
  /** Runs SQL over live tables, and returns the calls of their connector and the receipt. */
  readonly runLive: (
    sql: string,
    remote?: readonly string[],
    by?: LiveBy,
    limit?: number,
  ) => Promise<LiveRun>;
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
    const calls: ConnectorCall[] = [];
    return { calls, agnes: await openLiveShop(folder.path, { remote, calls, by }) };
  }

  function shopOf(remote: readonly string[], by: LiveBy): Promise<Shop> {
    const key = `${by} ${remote.join()}`;
    const known = shops.get(key) ?? openShop(remote, by);
    shops.set(key, known);
    return known;
  }

  return {
    shopOf,
    runLive: async (sql, remote = ["b"], by = "read", limit) => {
      const { agnes, calls } = await shopOf(remote, by);
      calls.length = 0;
      const receipt = await run(agnes, sql, limit);
      return { calls: [...calls], receipt, pushed: receipt.remotes.map(({ pushedDown }) => pushedDown) };
    },
  };
}

/** Runs SQL to its end. */
export async function run(agnes: Agnes, sql: string, rows?: number): Promise<Receipt> {
  const result = await agnes.query(sql, rows === undefined ? {} : { limits: { maxRows: rows } });
  for await (const _batch of result.batches);
  return result.receipt();
}
