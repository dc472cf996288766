import * as v from "valibot";

import { AgnesError, shown } from "../../base/mod.ts";
import type { DocumentTable } from "../import.ts";
import { folderMapping, isPlainObject, kindOf, tableId } from "../record/mod.ts";

/** An entry without its id, which has to be what its source and name say. */
export function withoutId(entry: Readonly<Record<string, unknown>>, what: string): DocumentTable {
  const { id, ...fields } = entry;
  const { source, name } = fields;
  if (
    id !== undefined &&
    typeof source === "string" &&
    typeof name === "string" &&
    id !== tableId(source, name)
  ) {
    throw new AgnesError("table_field_invalid", {
      what,
      field: "id",
      reason: `should be ${shown(tableId(source, name))}`,
    });
  }
  return fields;
}

/** The folder mapping of a document. */
export function checkedFolders(value: unknown, path: string): Readonly<Record<string, string>> {
  if (value === undefined || value === null) return {};
  const refuse = (field: string, reason: string) =>
    new AgnesError("table_field_invalid", { what: path, field, reason });
  if (!isPlainObject(value)) throw refuse("folder_mapping", `should be an object, but is ${kindOf(value)}`);
  for (const [bucket, folder] of Object.entries(value)) {
    if (typeof folder !== "string") {
      throw refuse(`folder_mapping of ${shown(bucket, 60)}`, `should be text, but is ${kindOf(folder)}`);
    }
    const result = v.safeParse(folderMapping, { [bucket]: folder });
    if (!result.success) throw refuse(`folder_mapping of ${shown(bucket, 60)}`, result.issues[0].message);
  }
  return value as Readonly<Record<string, string>>;
}
