import { AgnesError, messageOf, shown } from "../../base/mod.ts";
import type { RegistryDocument } from "../import.ts";
import { documentationKeys, isPlainObject, kindOf, settingsOf } from "../record/mod.ts";
import type { RegistrySnapshot } from "../types.ts";
import { checkedEntry, checkedFolders, documentTable } from "./document.ts";

const FORMAT = "agnes-table-registry";
const FORMAT_VERSION = 1;
const emptyDocumentation = Object.fromEntries(documentationKeys.map((key) => [key, null]));

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
      // Parts that are missing would be kept by an import, as an absent field is.
      documentation: { ...emptyDocumentation, ...table.documentation },
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
    tables: tables.map((entry: unknown, index) => {
      const what = `${path}: tables[${index}]`;
      return documentTable(checkedEntry(entry, what), what);
    }),
    folder_mapping: checkedFolders([content["folder_mapping"]], path),
  };
}
