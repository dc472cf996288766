import type { Agnes } from "../../lib/agnes.ts";
import { plural } from "../terminal/figures.ts";
import { ok, unknown, warning, type Check } from "./check.ts";

/** How many tables with a failed sync are listed. */
const TABLES_SHOWN = 5;

/** The tables whose last sync failed, and those that are late. */
export async function syncChecks(agnes: Agnes): Promise<readonly Check[]> {
  const tables = await agnes.syncStatus();
  if (tables.length === 0) return [];
  const failed = tables.filter(({ status }) => status === "failed");
  const late = tables.filter(({ status }) => status === "late");
  const paused = tables.filter(({ status }) => status === "paused");
  const shown = failed
    .slice(0, TABLES_SHOWN)
    .map(({ id, source, error }) =>
      warning(`sync of ${id}`, error?.message ?? "it failed", `\`agnes runs ${source}\` lists its runs.`),
    );
  const more = failed.length - shown.length;
  return [
    ...shown,
    ...(more > 0
      ? [
          warning(
            "syncs",
            `those of ${plural(more, "more table")} failed too`,
            "`agnes runs` lists all runs.",
          ),
        ]
      : []),
    ...(late.length > 0
      ? [
          warning(
            "schedules",
            `${plural(late.length, "table")} should have been synced by now, such as ${late[0]!.id}`,
            "Run `agnes serve`, or `agnes sync --due` every few minutes.",
          ),
        ]
      : []),
    ...(paused.length > 0
      ? [
          ok(
            "paused tables",
            `${plural(paused.length, "table")}, synced only by name, such as ${paused[0]!.id}`,
          ),
        ]
      : []),
    ...(failed.length + late.length === 0 ? [ok("syncs", "none failed, and none is late")] : []),
  ];
}

/** After this time, the last check of a source shows nothing of its state. */
const CURRENT_MS = 24 * 60 * 60_000;

/** The last known health of each source. No source is called. */
export async function healthChecks(agnes: Agnes): Promise<readonly Check[]> {
  const nowMs = Date.now();
  return (await agnes.sourceHealth()).map(({ source, state, reason, since, checkedAt }): Check => {
    const name = `health of ${source}`;
    const hint = `\`agnes connector health ${source}\` checks it now.`;
    if (checkedAt === null) return neverChecked([source])[0]!;
    const checked = `checked at ${checkedAt.toISOString()}`;
    if (nowMs - checkedAt.getTime() > CURRENT_MS) return unknown(name, `it was last ${checked}`, hint);
    if (state === "ok") return ok(name, checked);
    const why = `${reason ?? "no reason is known"}, ${checked}`;
    if (state === "unknown") return unknown(name, why, hint);
    const times = `first at ${since!.toISOString()}, last at ${checkedAt.toISOString()}`;
    const message = `it failed, ${times}: ${reason ?? "no reason is known"}`;
    return { name, state: "error", message, hint };
  });
}

/** The checks of sources of which nothing is known. */
export function neverChecked(sources: readonly string[]): readonly Check[] {
  return sources.map((source) =>
    unknown(
      `health of ${source}`,
      "it was never checked",
      `\`agnes connector health ${source}\` checks it now.`,
    ),
  );
}
