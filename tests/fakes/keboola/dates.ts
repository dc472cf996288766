/** Writes a time as the API does: `2026-11-25T10:00:00+0100`, in the zone of the servers, in whole seconds. */
export function formatDate(time: Date): string {
  const offset = offsetMinutes(time);
  const local = new Date(time.getTime() + offset * 60_000).toISOString().slice(0, 19);
  const hours = String(Math.floor(offset / 60)).padStart(2, "0");
  return `${local}+${hours}${String(offset % 60).padStart(2, "0")}`;
}

/** Writes a time as the column `_timestamp` holds it: UTC, in whole seconds. */
export function formatTimestamp(time: Date): string {
  return time.toISOString().slice(0, 19).replace("T", " ");
}

/** Drops the fraction of a second, as every import does. */
export function wholeSeconds(time: Date): Date {
  return new Date(Math.floor(time.getTime() / 1000) * 1000);
}

const UNITS: Readonly<Record<string, number>> = {
  second: 1000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 7 * 86_400_000,
  month: 30 * 86_400_000,
  year: 365 * 86_400_000,
};

/**
 * Parses a time as PHP's `strtotime` does, or a Unix time in seconds; a text without a zone is UTC.
 *
 * Not faithful: `strtotime` knows many more forms, and its months are calendar months.
 */
export function parseTime(text: string, now: Date): Date | null {
  const trimmed = text.trim();
  if (/^\d+$/.test(trimmed)) return new Date(Number(trimmed) * 1000);
  if (trimmed === "now") return now;
  const relative = /^([+-]?\d+) (second|minute|hour|day|week|month|year)s?( ago)?$/.exec(trimmed);
  if (relative !== null) {
    const sign = relative[3] === undefined ? 1 : -1;
    return new Date(now.getTime() + sign * Number(relative[1]) * UNITS[relative[2]!]!);
  }
  const parts = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?))? ?(Z|UTC|[+-]\d\d:?\d\d)?$/.exec(
    trimmed,
  );
  if (parts === null) return null;
  const [, day, clock = "00:00:00", zone = "Z"] = parts;
  const offset = zone === "UTC" ? "Z" : zone.replace(/^([+-]\d\d)(\d\d)$/, "$1:$2");
  const time = new Date(`${day}T${clock}${offset}`);
  return Number.isNaN(time.getTime()) ? null : time;
}

const ZONE = new Intl.DateTimeFormat("en-GB", {
  timeZone: "Europe/Prague",
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});

function offsetMinutes(time: Date): number {
  const [hours, minutes] = ZONE.format(time).split(":").map(Number) as [number, number];
  const utc = time.getUTCHours() * 60 + time.getUTCMinutes();
  return (hours * 60 + minutes - utc + 24 * 60) % (24 * 60);
}
