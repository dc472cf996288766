import { expect, test } from "bun:test";

import { simulateWeek, weekProblems } from "./simulated-week.ts";

test("two schedulers lose no slot in a simulated week, and run none twice", async () => {
  for (let seed = 1; seed <= 3; seed++) {
    const week = await simulateWeek(seed);
    expect({ seed, problems: weekProblems(week) }).toEqual({ seed, problems: [] });
    expect([week.syncs.length > 100, week.failures > 0, week.kills > 0, week.takeovers > 1]).toEqual([
      true,
      true,
      true,
      true,
    ]);
  }
});
