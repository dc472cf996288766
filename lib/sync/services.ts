import type { RebuildServices } from "../analytics/mod.ts";
import type { ProfileUpdates } from "../profile/mod.ts";

/** The services that a run uses. */
export interface SyncServices extends RebuildServices {
  /** Updates the profiles of tables that changed. Default: none is updated. */
  readonly profiles?: Pick<ProfileUpdates, "update">;
}
