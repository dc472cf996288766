import { counted } from "./counted.ts";

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;

/** A duration in words for a message: `200 ms`, `1 second`, `1.5 seconds`, `5 minutes`, `2 minutes 30 seconds`, `6 hours`. */
export function spokenDuration(durationMs: number): string {
  if (durationMs < SECOND_MS) return `${Math.round(durationMs)} ms`;
  if (durationMs < MINUTE_MS) return counted(Math.round(durationMs / 100) / 10, "second");
  const seconds = Math.round(durationMs / SECOND_MS);
  const parts = [
    [Math.floor(seconds / 3600), "hour"],
    [Math.floor(seconds / 60) % 60, "minute"],
    [seconds % 60, "second"],
  ] as const;
  return parts.flatMap(([count, unit]) => (count === 0 ? [] : counted(count, unit))).join(" ");
}
