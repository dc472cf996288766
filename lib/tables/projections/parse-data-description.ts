import { parseDocument } from "yaml";

import { AgnesError, isExposedName, toExposedName } from "../../base/mod.ts";
import type { DocumentTable, RegistryDocument } from "../import.ts";
import { isPlainObject, kindOf, tableFieldNames } from "../record/mod.ts";
import { checkedEntry, checkedFolders, documentTable } from "./document.ts";
import { checksumOf } from "./data-description.ts";

/** How a data description is to be read. */
export interface ParseOptions {
  /** What to call the file in an error. */
  readonly path: string;
  /** The source of the tables of a file that does not name any, for example one of an earlier system. */
  readonly source?: string;
  /** Takes a file that was changed by hand after it was generated. */
  readonly edited?: boolean;
}

/**
 * Reads a `data_description.md`, ours or an older one's: keys as a list or separated by commas, `dataset` or
 * `bucket`, several blocks or one.
 *
 * @throws `data_description_malformed`, `data_description_edited`, `table_field_invalid`
 */
export function parseDataDescription(text: string, options: ParseOptions): RegistryDocument {
  const { path } = options;
  const blocks = yamlBlocks(text.replace(/^\ufeff/, "").replaceAll("\r\n", "\n"), path);
  if (blocks.length === 0) throw malformed(path, "it has no ```yaml block");
  const said = /^<!-- checksum:(.*)-->/m
    .exec(text)?.[1]
    ?.trim()
    .replace(/^sha256:/, "");
  const found = checksumOf(blocks.join("\n"));
  if (said !== undefined && said !== found && options.edited !== true) {
    throw new AgnesError("data_description_edited", { path, expected: said, found });
  }
  const contents = blocks.map((block) => parsedBlock(block, path));
  const tables = contents.flatMap((content) => listOf(content["tables"], path));
  if (!contents.some((content) => content["tables"] !== undefined))
    throw malformed(path, "it has no list `tables:`");
  return {
    path,
    tables: tables.map((entry, index) => tableOf(entry, `${path}: tables[${index}]`, options)),
    folder_mapping: checkedFolders(
      contents.map((content) => content["folder_mapping"]),
      path,
    ),
  };
}

/** The content of each fenced YAML block. A fence ends at the margin; what is indented belongs to the content. */
function yamlBlocks(text: string, path: string): readonly string[] {
  const blocks: string[] = [];
  let fence: string | undefined;
  let block = "";
  for (const line of text.split("\n")) {
    const mark = /^(`{3,}|~{3,})(.*)$/.exec(line);
    if (fence === undefined) {
      if (mark !== null && /^\s*ya?ml\s*$/i.test(mark[2]!)) [fence, block] = [mark[1]!, ""];
    } else if (mark !== null && mark[1]!.startsWith(fence) && mark[2]!.trim() === "") {
      blocks.push(block);
      fence = undefined;
    } else {
      block += `${line}\n`;
    }
  }
  if (fence !== undefined) throw malformed(path, "its YAML block does not end; the file may be cut off");
  return blocks;
}

function parsedBlock(block: string, path: string): Readonly<Record<string, unknown>> {
  const document = parseDocument(block, { uniqueKeys: true });
  const [error] = document.errors;
  if (error !== undefined) throw malformed(path, error.message.split("\n")[0]!);
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    // The library refuses aliases that unfold without bound with a plain ReferenceError.
    throw malformed(path, (cause as Error).message, cause);
  }
  if (content === null) return {};
  if (!isPlainObject(content))
    throw malformed(path, `its YAML block should hold fields, but holds ${kindOf(content)}`);
  const unknown = Object.keys(content).find((key) => key !== "tables" && key !== "folder_mapping");
  if (unknown !== undefined)
    throw malformed(path, `its YAML block has an unknown key ${JSON.stringify(unknown)}`);
  return content;
}

function listOf(value: unknown, path: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw malformed(path, `\`tables\` should be a list, but is ${kindOf(value)}`);
  return value;
}

function tableOf(entry: unknown, what: string, options: ParseOptions): DocumentTable {
  const { dataset, ...fields } = checkedEntry(entry, what);
  if (dataset !== undefined && fields["bucket"] !== undefined && dataset !== fields["bucket"]) {
    throw new AgnesError("table_field_invalid", {
      what,
      field: "dataset",
      reason: "names another bucket than bucket",
    });
  }
  const table: Readonly<Record<string, unknown>> = {
    ...fields,
    ...(dataset === undefined ? {} : { bucket: dataset }),
    ...(fields["primary_key"] === undefined ? {} : { primary_key: keyOf(fields["primary_key"]) }),
  };
  return documentTable(table["source"] === undefined ? foreignTable(table, what, options) : table, what);
}

/** An entry of a system where the id is the source's own name and the name is what SQL authors type. */
function foreignTable(
  entry: Readonly<Record<string, unknown>>,
  what: string,
  { source }: ParseOptions,
): Readonly<Record<string, unknown>> {
  if (source === undefined) {
    const reason =
      "the file does not say which source of agnes.yaml its tables come from; name it with --source";
    throw new AgnesError("table_field_missing", { what, field: "source", reason });
  }
  const { id, name, ...fields } = entry;
  if (typeof id !== "string" || typeof name !== "string") {
    throw new AgnesError("table_field_missing", {
      what,
      field: typeof id === "string" ? "name" : "id",
      reason: "it identifies the table",
    });
  }
  return {
    source_table: id,
    ...withoutEmpty(fields),
    source,
    name: isExposedName(name) ? name : toExposedName(name),
  };
}

/** Older files write `null`, an empty text or an empty list where nothing was said. */
function withoutEmpty(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const isEmpty = (value: unknown) =>
    value === null || value === "" || (Array.isArray(value) && value.length === 0);
  return Object.fromEntries(
    Object.entries(fields).filter(
      ([key, value]) => !isEmpty(value) || !(tableFieldNames as readonly string[]).includes(key),
    ),
  );
}

function keyOf(value: unknown): unknown {
  if (value === null) return [];
  if (typeof value !== "string") return value;
  return value
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

function malformed(path: string, reason: string, cause?: unknown): AgnesError {
  return new AgnesError("data_description_malformed", { path, reason }, cause === undefined ? {} : { cause });
}
