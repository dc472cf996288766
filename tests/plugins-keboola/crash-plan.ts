import type { TableInfo } from "agnes/kit";

import type { TablePlan } from "../../lib/extract/mod.ts";

/** The table that the process of the crash matrix syncs. */
export const CRASH_TABLE = "in.c-crm.rows";

export function crashPlan(info: TableInfo): TablePlan {
  return {
    id: "kbc.rows",
    name: "rows",
    info,
    mode: "local",
    strategy: "incremental",
    primaryKey: info.primaryKey,
    schemaPolicy: "evolve",
    quarantine: false,
    description: "",
  };
}
