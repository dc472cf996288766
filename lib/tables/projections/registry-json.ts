import { AgnesError, messageOf, formatValue } from "../../base/mod.ts";
import type { RegistryDocument } from "../import.ts";
import { documentationKeys, isPlainObject, kindOf, settingsOf, toStoredFields } from "../record/mod.ts";
import type { RegisteredTable } from "../stored.ts";
import type { RegistrySnapshot } from "../types.ts";
import { checkedFolders, documentTable } from "./document.ts";
import { readEntries, upstreamTable, type ParseOptions } from "./upstream.ts";

const FORMAT = "agnes-table-registry";
const FORMAT_VERSION = 1;
const emptyDocumentation = Object.fromEntries(documentationKeys.map((key) => [key, null]));

/** Renders the whole registry as JSON, for backups and imports. The output is deterministic. */
export function renderRegistryJson({ version, folders, tables }: RegistrySnapshot): string {
  const content = {
    format: FORMAT,
    format_version: FORMAT_VERSION,
    version,
    folder_mapping: folders,
    tables: tables.map(entryOf),
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

function entryOf(table: RegisteredTable): Readonly<Record<string, unknown>> {
  const { documentation, ...settings } = toStoredFields(settingsOf(table));
  return {
    id: table.id,
    ...settings,
    // Writes missing parts as null, because an import keeps the current value of missing fields.
    documentation: { ...emptyDocumentation, ...(documentation as object) },
    registered_by: table.registeredBy,
    registered_at: table.registeredAt,
  };
}

/**
 * Reads the format of `renderRegistryJson`, or a `table_registry.json` of the earlier system, whose tables belong to
 * `options.source`.
 *
 * @throws `registry_export_malformed`, `table_field_invalid`
 */
export function parseRegistryJson(text: string, options: ParseOptions | string): RegistryDocument {
  const parse = typeof options === "string" ? { path: options } : options;
  const { path } = parse;
  let isUpstream = false;
  const malformed = (reason: string, cause?: unknown) =>
    new AgnesError(
      "registry_export_malformed",
      { path, reason, ...(isUpstream && { isUpstream }) },
      cause === undefined ? {} : { cause },
    );
  let content: unknown;
  try {
    content = JSON.parse(text.replace(/^\ufeff/, ""));
  } catch (cause) {
    throw malformed(`it is not JSON (${messageOf(cause).replace(/: ?".*$/s, "")})`, cause);
  }
  if (!isPlainObject(content)) throw malformed(`it should be an object, but is ${kindOf(content)}`);
  const number = roundedNumber(text);
  if (number !== undefined)
    throw malformed(`its number ${number} has more digits than JSON numbers can represent here`);
  isUpstream = Object.hasOwn(content, "_metadata") && !Object.hasOwn(content, "format");
  const known = isUpstream ? UPSTREAM_KEYS : KEYS;
  const unknown = Object.keys(content).find((key) => !known.includes(key));
  if (unknown !== undefined) throw malformed(`it has an unknown key ${formatValue(unknown)}`);
  if (!isUpstream && content["format"] !== FORMAT)
    throw malformed(`its format should be ${formatValue(FORMAT)}`);
  if (!isUpstream && content["format_version"] !== FORMAT_VERSION) {
    throw malformed(
      `its format_version should be ${FORMAT_VERSION}, but is ${formatValue(content["format_version"])}`,
    );
  }
  const entries = content["tables"];
  if (!Array.isArray(entries)) throw malformed(`its tables should be a list, but are ${kindOf(entries)}`);
  const tables = readEntries(entries, parse, (entry, what) =>
    isUpstream ? upstreamTable(entry, what, parse) : documentTable(entry, what),
  );
  const mapping = checkedFolders([content["folder_mapping"]], parse);
  return {
    path,
    tables: tables.tables,
    places: tables.places,
    folder_mapping: mapping.folders,
    invalid: [...tables.invalid, ...mapping.invalid],
    notes: isUpstream ? metadataNotes(content["_metadata"]) : [],
  };
}

const KEYS = ["format", "format_version", "version", "folder_mapping", "tables"];
const UPSTREAM_KEYS = ["_metadata", "folder_mapping", "tables"];

/** Notes about the metadata of the earlier registry, which is not imported. */
function metadataNotes(metadata: unknown): readonly string[] {
  if (!isPlainObject(metadata)) return [`_metadata is ${kindOf(metadata)}`];
  const fields = Object.entries(metadata).map(([key, value]) => `${key} ${formatValue(value)}`);
  return [`_metadata is not kept, changes are numbered from here on: ${fields.join(", ")}`];
}

/** The first number of a JSON text that JavaScript would round. */
function roundedNumber(text: string): string | undefined {
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/gs)) {
    const isInteger = /^-?\d+$/.test(token);
    if (isInteger && !Number.isSafeInteger(Number(token)) && String(Number(token)) !== token) return token;
  }
  return undefined;
}
