import { describe, expect, test } from "bun:test";
import fc from "fast-check";

import { nextDue, parseSchedule } from "../../lib/tables/schedule.ts";
import { errorOf } from "./registry-setup.ts";

const at = (text: string) => new Date(`${text}Z`);
const isDue = (...[schedule, last, now]: Parameters<typeof nextDue>) =>
  nextDue(schedule, last, now).getTime() <= now.getTime();
const due = (schedule: string, lastSuccess: string | null, now: string) =>
  isDue(parseSchedule(schedule), lastSuccess === null ? null : at(lastSuccess), at(now));

describe("parseSchedule()", () => {
  const bad = [
    ["", "empty text"],
    ["every", "no interval"],
    ["every 0m", "an interval of nothing"],
    ["every 15", "no unit"],
    ["every 15 m", "a space in the interval"],
    ["every 1.5h", "a fraction"],
    ["every -1h", "a negative interval"],
    ["every 15s", "seconds"],
    ["every 9999h", "more than a year"],
    ["every 15m Europe/Prague", "a zone that changes nothing"],
    ["daily", "no time"],
    ["daily 24:00", "an hour that is none"],
    ["daily 05:60", "a minute that is none"],
    ["daily 05:00,", "a time left out"],
    ["daily 5", "no minutes"],
    ["daily 05:00 Mars/Olympus", "a zone that is none"],
    ["* * * *", "four fields"],
    ["* * * * * *", "six fields"],
    ["cron 61 * * * *", "a minute that is none"],
    ["0 0 31 2 *", "a day that does not exist"],
    ["@daily", "a nickname"],
    ["0 0 L * *", "an extension"],
    ["hourly", "an unknown keyword"],
    ["0 5 * * *\u0000", "a control character"],
    ["0 5 * * *\n0 6 * * *", "two lines"],
    [`every ${"9".repeat(10_000)}m`, "ten thousand characters"],
  ] as const;
  test.each(bad)("refuses %j: %s", async (text) => {
    const error = await errorOf(() => parseSchedule(text));
    expect(error.code).toBe("schedule_invalid");
    expect(error.message.length).toBeLessThan(300);
    expect(error.message).not.toMatch(/\p{Cc}/u);
    expect(error.hint).toContain("every 15m");
  });

  test("parses each form, and five fields after cron", () => {
    expect(parseSchedule("every 90m")).toEqual({ kind: "every", intervalMs: 5_400_000 });
    expect(parseSchedule("  daily 05:00, 17:30 ")).toEqual(parseSchedule("daily 5:00,17:30"));
    expect(parseSchedule("cron 0 5 * * mon")).toEqual(parseSchedule("0 5 * * mon"));
  });
});

describe("nextDue()", () => {
  test("is true for a table that was never synced", () => {
    for (const schedule of ["every 6h", "daily 05:00", "0 0 1 1 *"]) {
      expect(due(schedule, null, "2026-11-21T06:00")).toBe(true);
    }
  });

  const cases = [
    ["every 15m", "2026-11-21T05:45", "2026-11-21T05:59:59", false],
    ["every 15m", "2026-11-21T05:45", "2026-11-21T06:00", true],
    ["daily 05:00,17:00", "2026-11-21T05:00", "2026-11-21T16:59:59", false],
    ["daily 05:00,17:00", "2026-11-21T05:00", "2026-11-21T17:00", true],
    ["daily 05:00,17:00", "2026-11-20T17:00:01", "2026-11-21T04:59", false],
    // Down over midnight: yesterday's second slot is caught up before today's first.
    ["daily 05:00,17:00", "2026-11-20T06:00", "2026-11-21T00:10", true],
    ["daily 05:00", "2026-11-21T04:59:59", "2026-11-21T05:00", true],
    ["daily 05:00", "2026-11-21T05:00", "2026-11-21T05:00", false],
    ["0 5 * * 1", "2026-11-16T05:00", "2026-11-22T23:59", false],
    ["0 5 * * 1", "2026-11-16T05:00", "2026-11-23T05:00", true],
    // Sunday is 0 and 7.
    ["0 5 * * 7", "2026-11-21T05:00", "2026-11-22T05:00", true],
    ["0 5 * * 0", "2026-11-21T05:00", "2026-11-22T05:00", true],
    // The 13th or a Friday, as classic cron has it: Friday the 20th is enough.
    ["0 0 13 * 5", "2026-11-19T00:00", "2026-11-20T00:00", true],
    ["0 0 13 * 5", "2026-12-12T00:00", "2026-12-13T00:00", true],
    ["0 0 29 2 *", "2024-02-29T00:00", "2028-02-28T23:59", false],
    ["0 0 29 2 *", "2024-02-29T00:00", "2028-02-29T00:00", true],
    // Prague is an hour ahead in winter and two in summer.
    ["daily 05:00 Europe/Prague", "2026-01-10T12:00", "2026-01-11T04:00", true],
    ["daily 05:00 Europe/Prague", "2026-07-10T12:00", "2026-07-11T03:00", true],
    ["daily 05:00 Europe/Prague", "2026-01-10T12:00", "2026-01-11T03:59", false],
    // 02:30 does not exist on the day the clocks go forward; the run is not lost.
    ["daily 02:30 Europe/Prague", "2026-03-28T12:00", "2026-03-29T01:30", true],
  ] as const;
  test.each(cases)("%s, last %s, now %s: %p", (schedule, last, now, expected) => {
    expect(due(schedule, last, now)).toBe(expected);
  });

  test("is due once after several missed times", () => {
    const schedule = parseSchedule("daily 05:00,17:00");
    const now = at("2026-11-21T06:00");
    expect(isDue(schedule, at("2025-01-01T00:00"), now)).toBe(true);
    expect(isDue(schedule, now, at("2026-11-21T06:00:30"))).toBe(false);
    expect(nextDue(schedule, now, now)).toEqual(at("2026-11-21T17:00"));
  });

  test("is true from the moment of nextDue() on and never before it", () => {
    const schedules = ["every 15m", "every 6h", "daily 05:00,17:00", "*/20 3-5 * * 1-5", "0 0 13 * 5"].map(
      parseSchedule,
    );
    const instant = fc.integer({ min: 1_600_000_000, max: 1_900_000_000 }).map((s) => new Date(s * 1000));
    fc.assert(
      fc.property(fc.constantFrom(...schedules), instant, (schedule, last) => {
        const next = nextDue(schedule, last, last);
        expect(next.getTime()).toBeGreaterThan(last.getTime());
        expect(isDue(schedule, last, next)).toBe(true);
        expect(isDue(schedule, last, new Date(next.getTime() - 1))).toBe(false);
      }),
      { numRuns: 300 },
    );
  });
});
