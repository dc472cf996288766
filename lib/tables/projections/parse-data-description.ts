import { parseDocument, type Document } from "yaml";

import { AgnesError } from "../../base/mod.ts";
import type { DocumentTable, RegistryDocument } from "../import.ts";
import { isPlainObject, kindOf } from "../record/mod.ts";
import { checksumOf } from "./data-description.ts";
import { checkedFolders, documentTable } from "./document.ts";
import { keyOf, readEntries, upstreamTable, type ParseOptions } from "./upstream.ts";
import { parseUpstreamYaml } from "./upstream-yaml.ts";
import { isOther, mentionsRegistry, unknownKey, yamlBlocks, type YamlBlock } from "./yaml-blocks.ts";

/**
 * Reads a `data_description.md` of Agnes or of the earlier system, with keys as a list or separated by commas, in one
 * or several blocks. YAML blocks with other content are skipped and listed in `notes`.
 *
 * @throws `data_description_malformed`, `data_description_edited`, `table_field_invalid`
 */
export function parseDataDescription(text: string, options: ParseOptions): RegistryDocument {
  const { path } = options;
  const plain = text.replace(/^\ufeff/, "").replaceAll("\r\n", "\n");
  const blocks = yamlBlocks(plain, (line) => {
    throw malformed(path, `the block that starts on line ${line} is not closed; the file may be truncated`);
  });
  if (blocks.length === 0) throw malformed(path, "it has no ```yaml block");
  verifyChecksum(plain, blocks, options);
  const read = readBlocks(blocks, path, parseDocument);
  // The YAML library of the earlier system parses some scalars differently.
  const isEarlier = read.tables.some((entry) => isPlainObject(entry) && entry["source"] === undefined);
  const { tables, folders, notes } = isEarlier ? readBlocks(blocks, path, parseUpstreamYaml) : read;
  const entries = readEntries(tables, options, (entry, what) => tableOf(entry, what, options));
  const mapping = checkedFolders(folders, options);
  return {
    path,
    tables: entries.tables,
    places: entries.places,
    folder_mapping: mapping.folders,
    invalid: [...entries.invalid, ...mapping.invalid],
    notes,
  };
}

function verifyChecksum(text: string, blocks: readonly YamlBlock[], { path, edited }: ParseOptions): void {
  const expected = /^<!-- checksum:(.*)-->/m
    .exec(text)?.[1]
    ?.trim()
    .replace(/^sha256:/, "");
  const found = checksumOf(blocks.map((block) => block.text).join("\n"));
  if (expected === undefined || expected === found || edited === true) return;
  throw new AgnesError("data_description_edited", { path, expected, found });
}

/** The combined content of a file's blocks. */
interface Content {
  readonly tables: readonly unknown[];
  readonly folders: readonly unknown[];
  readonly notes: readonly string[];
}

function readBlocks(
  blocks: readonly YamlBlock[],
  path: string,
  parse: (block: string) => Document.Parsed,
): Content {
  const contents: Readonly<Record<string, unknown>>[] = [];
  const skipped: (OtherBlock & { readonly line: number })[] = [];
  for (const block of blocks) {
    const read = parsedBlock(block, path, parse);
    if (read.kind === "registry") contents.push(read.content);
    else skipped.push({ ...read, line: block.line });
  }
  if (!contents.some((content) => content["tables"] !== undefined)) {
    const [only] = skipped.filter(({ isFields }) => !isFields);
    throw malformed(path, only === undefined ? "it has no list `tables:`" : only.about);
  }
  return {
    tables: contents.flatMap((content) => listOf(content["tables"], path)),
    folders: contents.map((content) => content["folder_mapping"]),
    notes: skipped.map(
      ({ line, about }) => `the YAML block that starts on line ${line} is skipped: ${about}`,
    ),
  };
}

/** A block with other content. */
interface OtherBlock {
  readonly kind: "other";
  /** A description of the content, for notes and errors. */
  readonly about: string;
  readonly isFields: boolean;
}

function parsedBlock(
  { text, line }: YamlBlock,
  path: string,
  parse: (block: string) => Document.Parsed,
): OtherBlock | { readonly kind: "registry"; readonly content: Readonly<Record<string, unknown>> } {
  const document = parse(text);
  const [error] = document.errors;
  if (error !== undefined) {
    const reason = error.message.split("\n")[0]!.replace(/ at line \d+, column \d+:?$/, "");
    const at = line + (error.linePos?.[0].line ?? 1) - 1;
    if (!mentionsRegistry(text))
      return { kind: "other", about: `it is not valid YAML (${reason})`, isFields: false };
    throw malformed(path, `line ${at}: ${reason}`);
  }
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    // The library throws a plain ReferenceError for aliases that expand without limit.
    throw malformed(path, (cause as Error).message, cause);
  }
  if (content === null) return { kind: "registry", content: {} };
  if (!isPlainObject(content))
    return {
      kind: "other",
      about: `its YAML block should contain fields, but contains ${kindOf(content)}`,
      isFields: false,
    };
  const keys = Object.keys(content);
  if (keys.length > 0 && isOther(keys))
    return { kind: "other", about: `it contains ${keys.slice(0, 3).join(", ")}`, isFields: true };
  const unknown = unknownKey(keys);
  if (unknown === undefined) return { kind: "registry", content };
  throw malformed(path, `its YAML block has an unknown key ${JSON.stringify(unknown)}`);
}

function listOf(value: unknown, path: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw malformed(path, `\`tables\` should be a list, but is ${kindOf(value)}`);
  return value;
}

function tableOf(
  entry: Readonly<Record<string, unknown>>,
  what: string,
  options: ParseOptions,
): DocumentTable {
  if (entry["source"] === undefined) return upstreamTable(entry, what, options);
  const { primary_key: key } = entry;
  return documentTable(key === undefined ? entry : { ...entry, primary_key: keyOf(key) }, what);
}

function malformed(path: string, reason: string, cause?: unknown): AgnesError {
  return new AgnesError("data_description_malformed", { path, reason }, cause === undefined ? {} : { cause });
}
