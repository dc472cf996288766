import { AgnesError, isAgnesError } from "../../base/mod.ts";
import { fromStoredFields, type ChangeOptions, type TableChange } from "../../tables/mod.ts";
import type { Principal } from "../auth/principal.ts";
import type { ServeServices } from "../services.ts";

/** The options of a change by a principal. */
export function changeBy(principal: Principal, expected: number | undefined): ChangeOptions {
  return {
    actor: `${principal.name} (${principal.id})`,
    ...(expected !== undefined && { expectedVersion: expected }),
  };
}

/** A body with the names of the library. */
export function changeOf(body: object): TableChange {
  return fromStoredFields(body) as TableChange;
}

/** Checks that a source is in `agnes.yaml`. @throws `request_invalid` */
export function checkSource(
  { workspace }: ServeServices,
  source: string | null | undefined,
  part: "body" | "query string",
): string {
  const { sources } = workspace.workspace.config;
  if (typeof source === "string" && Object.hasOwn(sources, source)) return source;
  const reason = `it must be a source of agnes.yaml: ${Object.keys(sources).join(", ") || "there is none"}`;
  throw new AgnesError("request_invalid", { part, field: "source", reason });
}

/** The errors of fields whose texts may contain the value. */
const OF_VALUES = ["schedule_invalid", "source_query_invalid", "table_field_invalid", "table_field_unknown"];

/** Makes a change. Errors of values keep the name of the field, and never repeat the value. */
export async function withoutValues<T>(change: Promise<T>): Promise<T> {
  try {
    return await change;
  } catch (error) {
    if (!isAgnesError(error) || !OF_VALUES.includes(error.code)) throw error;
    const fields: Readonly<Record<string, string>> = {
      schedule_invalid: "sync_schedule",
      source_query_invalid: "source_query",
      ...(isAgnesError(error, "table_field_invalid") && { table_field_invalid: error.details.field }),
    };
    const reason = "it is not valid; docs/guide/tables.md describes it";
    const field = fields[error.code] ?? "the table";
    throw new AgnesError("request_invalid", { part: "body", field, reason });
  }
}
