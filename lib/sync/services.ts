import type { RebuildServices } from "../analytics/mod.ts";

/** What a run needs of the rest of Agnes. */
export type SyncServices = RebuildServices;
