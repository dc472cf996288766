import { expect, test } from "bun:test";

import { createAgnes } from "agnes";

import { newShop, openShop, temporaryFolder } from "./workspace.ts";

test("sync() of all sources reports registered tables whose source is no longer configured", async () => {
  using folder = temporaryFolder();
  const shop = newShop();
  {
    await using agnes = await openShop(folder.path, shop);
    expect((await agnes.sync()).notes).toEqual([]);
  }
  await using agnes = await createAgnes({
    workspace: folder.path,
    plugins: [],
    config: { version: 1, sources: {} },
  });
  const { notes } = await agnes.sync();
  expect(notes).toEqual([
    "source shop is not in agnes.yaml, so 2 registered tables of it are not synced: configure the source again, " +
      "or remove each table with `agnes table unregister shop.orders`",
  ]);
});
