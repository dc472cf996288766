import { Cron } from "croner";

import { AgnesError, isAgnesError, counted } from "../base/mod.ts";

/** The sync schedule of a table. */
export type Schedule =
  /** This interval after the start of the last successful sync. */
  | { readonly kind: "every"; readonly intervalMs: number }
  /** At the times of cron patterns, in a time zone. `daily` is one pattern per time. */
  | { readonly kind: "slots"; readonly patterns: readonly string[]; readonly timeZone: string };

const MINUTE_MS = 60_000;
const YEAR_MINUTES = 366 * 24 * 60;

/**
 * Parses a schedule: `every 15m`, `every 6h`, `daily 05:00,17:00`, or five cron fields (`0 5 * * 1`, optionally after
 * `cron`). Times are UTC unless a time zone follows (`daily 05:00 Europe/Prague`). If a cron pattern restricts both day
 * of month and day of week, either of them is enough, as in classic cron. 0 and 7 are Sunday.
 *
 * @throws `schedule_invalid`
 */
export function parseSchedule(text: string): Schedule {
  if (text.length > 200) throw invalid(text, "it is too long");
  const parts = text.trim().split(/\s+/);
  const [first, ...rest] = parts;
  if (first === "every") return parseEvery(text, rest);
  if (first === "daily") return parseDaily(text, rest);
  return parseCron(text, first === "cron" ? rest : parts);
}

/** The problem with the text of a schedule; `undefined` if it is valid. */
export function scheduleProblem(text: string): string | undefined {
  try {
    parseSchedule(text);
    return undefined;
  } catch (error) {
    if (isAgnesError(error, "schedule_invalid")) return error.message;
    throw error;
  }
}

/**
 * The time at which a table is due. If it is at or before `now`, the table is due once, even if several times were
 * missed. A table that was never synced is due at `now`.
 *
 * @param lastSuccess when the last successful sync began, because the next one reads changes made while it ran
 */
export function nextDue(schedule: Schedule, lastSuccess: Date | null, now: Date): Date {
  if (lastSuccess === null) return now;
  if (schedule.kind === "every") return new Date(lastSuccess.getTime() + schedule.intervalMs);
  const slots = schedule.patterns.map((pattern) =>
    nextSlot(pattern, schedule.timeZone, lastSuccess)!.getTime(),
  );
  return new Date(Math.min(...slots));
}

function parseEvery(text: string, parts: readonly string[]): Schedule {
  const match = /^([1-9][0-9]{0,6})([mh])$/.exec(parts.join(" "));
  if (match === null) throw invalid(text, "`every` needs a number of minutes or hours, such as 15m or 6h");
  const minutes = Number(match[1]) * (match[2] === "h" ? 60 : 1);
  if (minutes > YEAR_MINUTES) throw invalid(text, "it is longer than a year");
  return { kind: "every", intervalMs: minutes * MINUTE_MS };
}

function parseDaily(text: string, parts: readonly string[]): Schedule {
  const zone = parts.length > 1 ? timeZoneOf(parts.at(-1)!) : undefined;
  const list = (zone === undefined ? parts : parts.slice(0, -1)).join(" ");
  const times = list.split(/\s*,\s*/).map((time) => /^([01]?[0-9]|2[0-3]):([0-5][0-9])$/.exec(time));
  if (times.includes(null)) throw invalid(text, "`daily` needs times, such as 05:00 or 05:00,17:00");
  const patterns = times.map((time) => `${Number(time![2])} ${Number(time![1])} * * *`);
  return { kind: "slots", patterns: [...new Set(patterns)], timeZone: zone ?? "UTC" };
}

function parseCron(text: string, parts: readonly string[]): Schedule {
  const zone = parts.length === 6 ? timeZoneOf(parts[5]!) : undefined;
  const fields = zone === undefined ? parts : parts.slice(0, 5);
  if (fields.length !== 5)
    throw invalid(text, `it has ${counted(fields.length, "field")}, but cron needs five`);
  const pattern = fields.join(" ");
  // Letters other than the names of months and days are extensions that other cron implementations reject.
  if (!/^[0-9*,/-]+ [0-9*,/-]+ [0-9*,/-]+ [0-9*,/-a-z]+ [0-9*,/-a-z]+$/i.test(pattern)) {
    throw invalid(text, "a cron field may contain numbers, *, lists, ranges and steps");
  }
  const timeZone = zone ?? "UTC";
  try {
    // `0 0 31 2 *` is well formed but matches no day.
    if (nextSlot(pattern, timeZone, new Date(0)) === null) throw invalid(text, "it matches no day");
  } catch (error) {
    if (isAgnesError(error)) throw error;
    throw invalid(text, (error as Error).message.replace(/^CronPattern: /, ""), error);
  }
  return { kind: "slots", patterns: [pattern], timeZone };
}

function nextSlot(pattern: string, timezone: string, after: Date): Date | null {
  return new Cron(pattern, { paused: true, mode: "5-part", domAndDow: false, timezone }).nextRun(after);
}

function timeZoneOf(text: string): string | undefined {
  if (!/^[A-Za-z]/.test(text)) return undefined;
  try {
    new Intl.DateTimeFormat("en", { timeZone: text });
    return text;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function invalid(text: string, reason: string, cause?: unknown): AgnesError {
  return new AgnesError("schedule_invalid", { text, reason }, cause === undefined ? {} : { cause });
}
