import { createHash } from "node:crypto";

import { Document, visit } from "yaml";

import { givenFields, settingsOf, type TableRecord } from "../record/mod.ts";
import type { RegistrySnapshot } from "../types.ts";

/**
 * The registry as a `data_description.md`: for people, for assistants, and for programs that read its YAML block.
 *
 * The same registry always gives the same bytes. Nothing in the content can end the fence, not even for a reader
 * that takes the first three backticks for its end: inside the block there are none.
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

/** The YAML of a block: every reader takes it for the same values, and finds no fence in it. */
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

/** The five keys that every entry has, then whatever is not as if it had never been said. */
function entryOf(record: TableRecord): Readonly<Record<string, unknown>> {
  const { id, name, description, primary_key, sync_strategy } = record;
  const { source, view_name, ...given } = givenFields(settingsOf(record));
  return {
    id,
    name,
    description,
    primary_key,
    sync_strategy,
    source,
    ...(view_name === name ? {} : { view_name }),
    ...Object.fromEntries(Object.entries(given).filter(([field]) => !ALWAYS.has(field))),
  };
}

const ALWAYS: ReadonlySet<string> = new Set(["id", "name", "description", "primary_key", "sync_strategy"]);

/** Backticks that could end the fence, and characters that some YAML readers take for line breaks or refuse. */
const UNSAFE_CHARACTERS = /`{3,}|[\u2028\u2029\ufeff\ufffe\uffff]/gu;
/** Words that no version of YAML takes for anything but text. */
const PLAIN_WORDS = /^[A-Za-z_][\w.]*( [\w.,()'-]+)*$/;
/** Lines that may stand in a block as they are. */
const PLAIN_LINES = /^\S(.*\S)?(\n+\S(.*\S)?)*$/;

function isPlain(text: string): boolean {
  if (/^(y|n|yes|no|on|off|true|false|null)$/i.test(text)) return false;
  if (text.search(UNSAFE_CHARACTERS) >= 0) return false;
  return PLAIN_WORDS.test(text) || (text.includes("\n") && !text.includes("\r") && PLAIN_LINES.test(text));
}

/** Only called inside double quotes: every text that holds such a character is written so. */
function escaped(characters: string): string {
  return characters.startsWith("`")
    ? "\\x60".repeat(characters.length)
    : `\\u${characters.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
