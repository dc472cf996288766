import { expect, test } from "bun:test";

import { AgnesError, createHost } from "../../lib/base/mod.ts";
import { served } from "./harness.ts";

test("a state that could not be opened on a full disk is opened again when there is space", async () => {
  const { files: real } = createHost();
  let isFull = false;
  const write: typeof real.write = async (path, ...rest) => {
    if (isFull && path.includes("/state/")) throw new AgnesError("disk_full", { path });
    return real.write(path, ...rest);
  };
  await using own = await served({ host: { files: { ...real, write } } });
  isFull = true;
  const failed = await own.token().catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: "disk_full" });
  isFull = false;
  const token = await own.token();
  const statusOf = async (path: string) => (await own.request(path, { token })).status;
  isFull = true;
  // The first request for subscriptions opens them.
  expect(await statusOf("/api/sync/manifest")).toBe(507);
  expect(await statusOf("/api/v2/schema/orders")).toBe(200);
  isFull = false;
  expect(await statusOf("/api/sync/manifest")).toBe(200);
  expect(await statusOf("/api/v2/catalog")).toBe(200);
});
