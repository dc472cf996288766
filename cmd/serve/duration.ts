import { AgnesError } from "../../lib/base/mod.ts";

const UNITS_MS = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 } as const;

/** The milliseconds of a duration such as `30d`. @throws `usage_wrong` */
export function durationMs(command: string, flag: string, text: string): number {
  const [, count, unit] = /^([1-9][0-9]{0,5})([mhdw])$/.exec(text) ?? [];
  if (count !== undefined) return Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS];
  throw new AgnesError("usage_wrong", {
    command,
    reason: `--${flag} cannot be ${JSON.stringify(text)}`,
    next: "Write a number with the unit m, h, d or w, such as 30d.",
  });
}
