import { expect, test } from "bun:test";

import { killPulls } from "../pull/kills.ts";

test(
  "a copy of 100 tables has whole tables only although its pull is killed, 200 times in two copies",
  async () => {
    const seed = Number(process.env["AGNES_SEED"] ?? Date.now() % 1_000_000);
    const { killed, mostSent } = await killPulls({ tables: 100, kills: 200, seed, copies: 2 });
    expect(killed).toBeGreaterThanOrEqual(200);
    // A kill between the response and the rename loses at most the parts in flight.
    expect(mostSent).toBeLessThanOrEqual(4);
  },
  60 * 60 * 1000,
);
