import type { RebuildServices } from "../analytics/mod.ts";

/** The services that a run uses. */
export type SyncServices = RebuildServices;
