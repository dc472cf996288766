import type { AccessOptions, CheckedEntry, DocumentedTable } from "../query/mod.ts";
import type { QueryServices } from "../query/mod.ts";
import type { TableRegistry } from "../tables/mod.ts";
import type { Workspace } from "../workspace/mod.ts";

/** The services that profiles use. */
export interface ProfileServices extends QueryServices {
  readonly workspace: Pick<Workspace, "dataDirectory">;
}

/** The workspace as callers see it. */
export interface ProfiledWorkspace {
  catalog(options: AccessOptions): Promise<readonly CheckedEntry[]>;
  describe(
    table: string,
    options: AccessOptions & { readonly signal?: AbortSignal },
  ): Promise<DocumentedTable>;
  tables(): Promise<TableRegistry>;
}
