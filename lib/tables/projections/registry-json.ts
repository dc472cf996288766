import { AgnesError, messageOf, shown } from "../../base/mod.ts";
import type { DocumentTable, RegistryDocument } from "../import.ts";
import { isPlainObject, kindOf, settingsOf } from "../record/mod.ts";
import type { RegistrySnapshot } from "../types.ts";
import { checkedFolders, withoutId } from "./document.ts";

const FORMAT = "agnes-table-registry";
const FORMAT_VERSION = 1;

/** The whole registry as JSON, to be kept or imported elsewhere. The same registry always gives the same bytes. */
export function renderRegistryJson({ version, folders, tables }: RegistrySnapshot): string {
  const content = {
    format: FORMAT,
    format_version: FORMAT_VERSION,
    version,
    folder_mapping: folders,
    tables: tables.map((table) => ({
      id: table.id,
      ...settingsOf(table),
      registered_by: table.registered_by,
      registered_at: table.registered_at,
    })),
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

/**
 * Reads what `renderRegistryJson` wrote, or the like by hand.
 * @throws `registry_export_malformed`, `table_field_invalid`
 */
export function parseRegistryJson(text: string, path: string): RegistryDocument {
  const malformed = (reason: string, cause?: unknown) =>
    new AgnesError("registry_export_malformed", { path, reason }, cause === undefined ? {} : { cause });
  let content: unknown;
  try {
    content = JSON.parse(text.replace(/^\ufeff/, ""));
  } catch (cause) {
    throw malformed(`it is not JSON (${messageOf(cause).replace(/: ?".*$/s, "")})`, cause);
  }
  if (!isPlainObject(content)) throw malformed(`it should be an object, but is ${kindOf(content)}`);
  const known = ["format", "format_version", "version", "folder_mapping", "tables"];
  const unknown = Object.keys(content).find((key) => !known.includes(key));
  if (unknown !== undefined) throw malformed(`it has an unknown key ${shown(unknown)}`);
  if (content["format"] !== FORMAT) throw malformed(`its format should be ${shown(FORMAT)}`);
  if (content["format_version"] !== FORMAT_VERSION) {
    throw malformed(
      `its format_version should be ${FORMAT_VERSION}, but is ${shown(content["format_version"])}`,
    );
  }
  const tables = content["tables"];
  if (!Array.isArray(tables)) throw malformed(`its tables should be a list, but are ${kindOf(tables)}`);
  return {
    path,
    tables: tables.map((entry: unknown, index) => jsonTable(entry, `${path}: tables[${index}]`)),
    folder_mapping: checkedFolders(content["folder_mapping"], path),
  };
}

function jsonTable(entry: unknown, what: string): DocumentTable {
  const refuse = (field: string, reason: string) =>
    new AgnesError("table_field_invalid", { what, field, reason });
  if (!isPlainObject(entry))
    throw refuse("the entry", `should be an object of fields, but is ${kindOf(entry)}`);
  const { registered_by: by, registered_at: at } = entry;
  if (by !== undefined && (typeof by !== "string" || by.length > 200)) {
    throw refuse("registered_by", "should be a text of at most 200 characters");
  }
  if (at !== undefined && (typeof at !== "string" || Number.isNaN(Date.parse(at)))) {
    throw refuse("registered_at", "should be a time as ISO 8601 writes it");
  }
  return withoutId(entry, what);
}
