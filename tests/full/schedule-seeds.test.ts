import { expect, test } from "bun:test";

import { simulateWeek, weekProblems } from "../sync/simulated-week.ts";

test("two schedulers lose no slot in a simulated week, and run none twice, for 300 seeds", async () => {
  for (let seed = 1; seed <= 300; seed++) {
    const week = await simulateWeek(seed);
    expect({ seed, problems: weekProblems(week) }).toEqual({ seed, problems: [] });
  }
});
