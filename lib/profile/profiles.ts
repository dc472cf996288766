import { tableId, type AnalyticsTable } from "../analytics/mod.ts";
import { AgnesError, throwIfAborted } from "../base/mod.ts";
import type { AccessOptions } from "../query/mod.ts";
import { presentProfile } from "./present.ts";
import { contentOf } from "./published.ts";
import type { ProfiledWorkspace, ProfileServices } from "./services.ts";
import type { KeptProfiles, StoredProfile } from "./store.ts";
import type { TableProfile } from "./types.ts";
import { PROFILE_TIMEOUT_MS, ProfileUpdates, reasonOf } from "./updates.ts";

/** The options of a profile. */
export interface ProfileOptions extends AccessOptions {
  /**
   * When to compute the profile: `missing`: if there is none of the current state of the table; `always`; `never`. Default:
   * `missing`.
   */
  readonly compute?: "missing" | "always" | "never";
  /** The maximum time of computing it, in milliseconds. Default: 10 minutes. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Why a profile is stale, for callers who may access only some tables. */
const HIDDEN_REASON = "the table has changed since, and its profile was not computed again";

/** The profiles of the published tables of a workspace. */
export class Profiles {
  readonly updates: ProfileUpdates;
  readonly #workspace: ProfiledWorkspace;

  constructor(services: ProfileServices, workspace: ProfiledWorkspace) {
    this.updates = new ProfileUpdates(services);
    this.#workspace = workspace;
  }

  /** See `Agnes.profile`. */
  async profile(name: string, options: ProfileOptions = {}): Promise<TableProfile> {
    const { signal, principal, access = null } = options;
    const caller = { access, ...(principal !== undefined && { principal }) };
    const entries = await this.#workspace.catalog(caller);
    const folded = name.toLowerCase();
    const entry = entries.find((one) => [one.id, one.name].some((known) => known.toLowerCase() === folded));
    if (entry?.accessMode === "remote") {
      const reason = "its rows are in the source";
      throw new AgnesError("profile_unavailable", { table: entry.name, reason });
    }
    // Also throws the error of a table that is unknown, or not accessible.
    const table = await this.#workspace.describe(name, { ...caller, ...(signal && { signal }) });
    const found = (await this.updates.published.list()).find((one) => tableId(one) === table.id);
    if (entry === undefined || found === undefined) throw new AgnesError("profile_missing", { table: name });
    const { stored, stale } = await this.#stored(found, entry.name, options);
    const accessible = new Set(entries.map(({ id }) => id));
    const records = await (await this.#workspace.tables()).list();
    return presentProfile(stored, {
      table,
      entry,
      record: records.find(({ id }) => id === table.id) ?? null,
      accessible: access === null ? records : records.filter(({ id }) => accessible.has(id)),
      // The reason may contain values of columns or paths.
      stale: stale === null || access === null ? stale : { ...stale, reason: HIDDEN_REASON },
    });
  }

  /** Removes the profiles of a table. */
  forget(table: { readonly source: string; readonly name: string }): Promise<void> {
    return this.updates.store.forget(table);
  }

  /** The profile of the current state of a table, or of an earlier one with the reason. */
  async #stored(
    table: AnalyticsTable,
    name: string,
    { compute = "missing", timeoutMs = PROFILE_TIMEOUT_MS, signal }: ProfileOptions,
  ): Promise<{ readonly stored: StoredProfile; readonly stale: TableProfile["stale"] }> {
    const { store } = this.updates;
    const kept = await store.kept(table);
    const content = contentOf(table);
    const current = kept.profiles.find((profile) => profile.content === content);
    if (compute !== "always" && current !== undefined) {
      const stored = await store.read(table, current);
      if (stored !== null) return { stored, stale: null };
    }
    let stale = staleOf(content, kept);
    if (compute !== "never") {
      try {
        const stored = await this.updates.computeInTurn(table, timeoutMs, {
          before: () => throwIfAborted(signal, `profiling the table ${name}`),
          signal,
        });
        return { stored, stale: null };
      } catch (error) {
        if (compute === "always" || signal?.aborted === true || kept.profiles.length === 0) throw error;
        stale = { code: null, ...reasonOf(error) };
      }
    }
    for (const file of kept.profiles) {
      const stored = await store.read(table, file);
      if (stored !== null) return { stored, stale };
    }
    throw new AgnesError("profile_missing", { table: name });
  }
}

function staleOf(content: string, { failure }: KeptProfiles): NonNullable<TableProfile["stale"]> {
  if (failure?.content === content) return { reason: failure.reason, code: failure.code };
  return { reason: "the table has changed since it was profiled", code: null };
}
