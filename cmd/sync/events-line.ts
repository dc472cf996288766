import type { EventsReport } from "../../lib/sync/mod.ts";
import { countText, plural } from "../terminal/figures.ts";

/** What became of the pushed events of a source; null if there were none. */
export function eventsLine({
  merged,
  replayed,
  superseded,
  quarantined,
  waiting,
  tables,
}: EventsReport): string | null {
  if (merged + replayed + superseded + quarantined + (waiting ?? 0) === 0) return null;
  const changes = tables.map(
    ({ name, upserts, deletes }) => `${name} ${countText(upserts)} upserted, ${countText(deletes)} deleted`,
  );
  return [
    `${plural(merged, "event")} merged, ${countText(replayed)} replayed, ${countText(superseded)} superseded`,
    ...(quarantined > 0 ? [`${countText(quarantined)} quarantined`] : []),
    ...(waiting === null
      ? ["an unknown number waiting"]
      : waiting === 0
        ? []
        : [`${countText(waiting)} waiting`]),
    ...changes,
  ].join("; ");
}
