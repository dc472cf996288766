import { createHash } from "node:crypto";

import { Document, visit } from "yaml";

import { nonDefaultFields, settingsOf, toStoredFields, type TableRecord } from "../record/mod.ts";
import type { RegistrySnapshot } from "../types.ts";

/**
 * Renders the registry as a `data_description.md`, for people, assistants and programs that read its YAML block.
 *
 * The output is deterministic. The content cannot end the fence: the block has no three backticks in a row.
 */
export function renderDataDescription(snapshot: RegistrySnapshot): string {
  const yaml = renderYaml(snapshot.folders, snapshot.tables.map(entryOf));
  const count = snapshot.tables.length;
  return `<!-- Generated from the table registry of Agnes. -->
<!-- Do not edit: change the registry with \`agnes table update\` and export again. -->
<!-- checksum: sha256:${checksumOf(yaml)} -->

# Data Description

Generated from version ${snapshot.version} of the registry: ${count} ${count === 1 ? "table" : "tables"}.

\`\`\`yaml
${yaml}\`\`\`
`;
}

/** The first 16 hexadecimal digits of the SHA-256 of a YAML block. */
export function checksumOf(yaml: string): string {
  return createHash("sha256").update(yaml).digest("hex").slice(0, 16);
}

/** Renders the YAML of a block so that all YAML readers parse the same values and find no fence in it. */
export function renderYaml(
  folders: RegistrySnapshot["folders"],
  tables: readonly Readonly<Record<string, unknown>>[],
): string {
  const document = new Document({
    ...(Object.keys(folders).length === 0 ? {} : { folder_mapping: folders }),
    tables,
  });
  visit(document, {
    Scalar(_key, node) {
      if (typeof node.value === "string" && !isPlain(node.value)) node.type = "QUOTE_DOUBLE";
    },
  });
  return document
    .toString({ lineWidth: 0, doubleQuotedMinMultiLineLength: Number.MAX_SAFE_INTEGER })
    .replace(UNSAFE_CHARACTERS, escaped);
}

/** The five keys of each entry, then the fields that differ from their default. */
function entryOf(record: TableRecord): Readonly<Record<string, unknown>> {
  const { id, name, description, primaryKey, syncStrategy } = record;
  const { source, view_name, ...settings } = toStoredFields(nonDefaultFields(settingsOf(record)));
  return {
    id,
    name,
    description,
    primary_key: primaryKey,
    sync_strategy: syncStrategy,
    source,
    ...(view_name === name ? {} : { view_name }),
    ...Object.fromEntries(Object.entries(settings).filter(([field]) => !ALWAYS.has(field))),
  };
}

const ALWAYS: ReadonlySet<string> = new Set(["id", "name", "description", "primary_key", "sync_strategy"]);

/** Backticks that could end the fence, and characters that some YAML readers reject or treat as line breaks. */
const UNSAFE_CHARACTERS = /`{3,}|[\u2028\u2029\ufeff\ufffe\uffff]/gu;
/** Texts that all versions of YAML read as strings. */
const PLAIN_TEXT = /^[A-Za-z_][\w.]*( [\w.,()'-]+)*$/;
/** Lines that need no quotes in a block scalar. */
const PLAIN_LINES = /^\S(.*\S)?(\n+\S(.*\S)?)*$/;

function isPlain(text: string): boolean {
  if (/^(y|n|yes|no|on|off|true|false|null)$/i.test(text)) return false;
  if (text.search(UNSAFE_CHARACTERS) >= 0) return false;
  return PLAIN_TEXT.test(text) || (text.includes("\n") && !text.includes("\r") && PLAIN_LINES.test(text));
}

/** Escapes characters inside double quotes; texts with such characters are always quoted. */
function escaped(characters: string): string {
  return characters.startsWith("`")
    ? "\\x60".repeat(characters.length)
    : `\\u${characters.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
