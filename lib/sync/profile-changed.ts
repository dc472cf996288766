import type { ProfileOutcome } from "../profile/mod.ts";
import type { SourceReport } from "./report.ts";
import { profileProcess } from "./child/profile-process.ts";
import type { SyncProcessSettings } from "./child/settings.ts";
import type { SyncServices } from "./services.ts";

/** Updates the profiles of the tables of sources that ran, as far as the tables changed and their registration allows it. */
export async function profileChanged(
  services: SyncServices & { readonly processes: SyncProcessSettings | null },
  reports: readonly SourceReport[],
  signal: AbortSignal | undefined,
): Promise<readonly ProfileOutcome[]> {
  const { processes, profiles, tables } = services;
  const synced = new Set(
    reports.flatMap(({ source, stats }) => (stats?.tables ?? []).map(({ name }) => `${source}.${name}`)),
  );
  if (profiles === undefined || synced.size === 0) return [];
  const records = await tables.list();
  const wanted = records.filter(({ id, profileAfterSync }) => profileAfterSync && synced.has(id));
  return profiles.update(
    wanted.map(({ id }) => id),
    { signal, process: processes && profileProcess(services, processes) },
  );
}
