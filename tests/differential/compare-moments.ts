import type { HeldCell } from "./model.ts";

type Order = "ymd" | "dmy" | "mdy";

const DAY = /^(\d{1,5})([-/.])(\d{1,2})\2(\d{1,5})/;
const CLOCK = /^(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?(?: ?([AP]M))?$/i;
const ZONE = /(?:Z|UTC|([+-])(\d{2}):?(\d{2})?)$/i;

interface Moment {
  readonly nanoseconds: bigint;
  readonly hasZone: boolean;
  readonly isUtc: boolean;
}

/** How days, moments and times of day differ from the texts that were written. */
export function compareMoments(
  type: string,
  values: readonly {
    readonly cell: HeldCell;
    readonly value: string;
  }[],
): readonly string[] {
  if (type === "TIME") {
    return values
      .filter(({ cell, value }) => clockOf(cell.text) === null || clockOf(cell.text) !== clockOf(value))
      .map(({ cell, value }) => `${JSON.stringify(cell.text)} shows ${JSON.stringify(value)}`);
  }
  const hasZone = /^TIMESTAMP WITH|^TIMESTAMPTZ/.test(type);
  const fits = (order: Order): readonly string[] =>
    values
      .filter(({ cell, value }) => !isSame(cell, value, order, hasZone))
      .map(({ cell, value }) => `${JSON.stringify(cell.text)} shows ${JSON.stringify(value)}`);
  const orders = (["ymd", "dmy", "mdy"] as const).map((order) => ({ order, faults: fits(order) }));
  const best = orders.reduce((a, b) => (b.faults.length < a.faults.length ? b : a));
  if (best.faults.length > 0 || best.order === "ymd") return best.faults;
  return isAmbiguous(values.map(({ cell }) => cell.text))
    ? ["day and month cannot be told apart, and it is no text"]
    : [];
}

/** Whether both orders give days, and not the same ones. Dotted days have the day first. */
function isAmbiguous(texts: readonly string[]): boolean {
  const [days, months] = (["dmy", "mdy"] as const).map((order) => texts.map((text) => momentOf(text, order)));
  if (texts.every((text) => DAY.exec(text)?.[2] === ".")) return false;
  if (days!.includes(null) || months!.includes(null)) return false;
  return days!.some((day, at) => day!.nanoseconds !== months![at]!.nanoseconds);
}

function isSame(cell: HeldCell, value: string, order: Order, hasZone: boolean): boolean {
  const [written, actual] = [momentOf(cell.text, order), momentOf(value, "ymd")];
  if (written === null || actual === null || written.nanoseconds !== actual.nanoseconds) return false;
  // Parquet declares that its timestamps are in UTC.
  if (cell.kind === "moment") return true;
  return hasZone ? written.hasZone : !written.hasZone || written.isUtc;
}

/** Whether two texts denote the same day or moment, year first. */
export function sameMoment(written: string, actual: string): boolean {
  const [a, b] = [momentOf(written, "ymd"), momentOf(actual, "ymd")];
  return a !== null && b !== null && a.nanoseconds === b.nanoseconds;
}

function momentOf(text: string, order: Order): Moment | null {
  const day = DAY.exec(text);
  if (day === null) return null;
  const rest = text.slice(day[0].length);
  const date = dayOf(order, [day[1]!, day[3]!, day[4]!]);
  if (date === null) return null;
  if (rest === "") return { nanoseconds: date, hasZone: false, isUtc: false };
  if (!/^[T ]/.test(rest)) return null;
  const zone = ZONE.exec(rest);
  const clock = clockOf(rest.slice(1, zone === null ? undefined : zone.index).trim());
  if (clock === null) return null;
  const minutes =
    zone?.[1] === undefined ? 0 : Number(`${zone[1]}1`) * (Number(zone[2]) * 60 + Number(zone[3] ?? 0));
  return {
    nanoseconds: date + clock - BigInt(minutes) * 60_000_000_000n,
    hasZone: zone !== null,
    isUtc: zone !== null && minutes === 0,
  };
}

/** Years have at least four digits. */
function dayOf(order: Order, parts: readonly [string, string, string]): bigint | null {
  const [y, m, d] = { ymd: [0, 1, 2], dmy: [2, 1, 0], mdy: [2, 0, 1] }[order].map((at) => parts[at]!);
  if (y!.length < 4 || m!.length > 2 || d!.length > 2) return null;
  const date = new Date(0);
  date.setUTCFullYear(Number(y), Number(m) - 1, Number(d));
  if (date.getUTCMonth() !== Number(m) - 1 || date.getUTCDate() !== Number(d)) return null;
  return BigInt(date.getTime()) * 1_000_000n;
}

function clockOf(text: string): bigint | null {
  const clock = CLOCK.exec(text);
  if (clock === null) return null;
  const [, h, m, s = "0", fraction = "", half] = clock;
  const isAfternoon = half?.toUpperCase() === "PM";
  const hours = half === undefined ? Number(h) : (Number(h) % 12) + (isAfternoon ? 12 : 0);
  const seconds = BigInt(hours * 3600 + Number(m) * 60 + Number(s));
  return seconds * 1_000_000_000n + BigInt(fraction.padEnd(9, "0").slice(0, 9));
}
