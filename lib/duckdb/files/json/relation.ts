import type { FileColumn, FileInput } from "../../../kit/mod.ts";
import { escapeGlob, quoteIdentifier, quoteLiteral } from "../../sql.ts";
import { formatType, parseType, scalar, type TypeTree } from "../type-tree.ts";
import { textTypeOf } from "./read-as-text.ts";
import type { ScannedFile } from "./scan-file.ts";
import { constantValue } from "../constants.ts";
import { compressionOf } from "../open-bytes.ts";

/** DuckDB's default. Each thread allocates a buffer of twice this size, so it is raised only for larger objects. */
const OBJECT_BYTES = 16 * 1024 * 1024;

/** The layout of a file. */
export interface JsonSource extends ScannedFile {
  /** Whether values of type JSON are strings that contain JSON, as in a copy. */
  readonly hasJsonTexts?: boolean;
}

/**
 * The SQL, for use after `FROM`, that reads a JSON file whose values are all known to fit. Columns with a `textTypeOf` have
 * that type.
 *
 * @param constants the values of columns that are constant in the file
 */
export function jsonRelation(
  file: FileInput,
  columns: readonly FileColumn[],
  scanned: JsonSource,
  constants: Readonly<Record<string, string | null>>,
): string {
  const readType = scanned.hasJsonTexts === true ? typeOfTexts : typeInFile;
  const own = columns.filter(({ name }) => constants[name] === undefined);
  const groups = groupByCase(own);
  const isPlain = groups.length === 1 && own.every((column) => keyOf(column) !== "");
  const select = (source: (column: FileColumn, group: number) => string) =>
    columns
      .map((column) => {
        const constant = constants[column.name];
        if (constant !== undefined) {
          const value = constantValue(column, constant);
          const type = textTypeOf(column);
          return `${type === null ? value : `CAST(${value} AS ${type})`} AS ${quoteIdentifier(column.name)}`;
        }
        const group = groups.findIndex((one) => one.includes(column));
        return `${valueOf(column, source(column, group), readType(column))} AS ${quoteIdentifier(column.name)}`;
      })
      .join(", ");
  if (isPlain) {
    const types = own.map((column) => `${quoteIdentifier(keyOf(column))}: ${quoteLiteral(readType(column))}`);
    const options = `${settings(file, scanned)}, records = 'true', columns = {${types.join(", ")}}`;
    const list = select((column) => quoteIdentifier(keyOf(column)));
    return `(SELECT ${list} FROM read_json([${pathOf(file)}], ${options}))`;
  }
  // DuckDB cannot read two columns that differ only by case, so each group of keys is extracted separately.
  const records = groups.map((group, at) => {
    const named = group.filter((column) => keyOf(column) !== "");
    const structure = Object.fromEntries(
      named.map((column) => [keyOf(column), looseStructure(column, readType(column))]),
    );
    return named.length === 0 ? `NULL AS r${at}` : `from_json(json, ${jsonLiteral(structure)}) AS r${at}`;
  });
  const list = select((column, group) => {
    // A struct cannot have a field without a name; the pointer `/` is the empty key.
    const value =
      keyOf(column) === ""
        ? `from_json(json_extract(json, '/'), ${jsonLiteral(looseStructure(column, readType(column)))})`
        : `struct_extract(r${group}, ${quoteLiteral(keyOf(column))})`;
    return isCastLater(column) ? `CAST(${value} AS ${readType(column)})` : value;
  });
  return `(SELECT ${list} FROM (SELECT ${["json", ...records].join(", ")} FROM ${objects(file, scanned)}))`;
}

/** `from_json` returns null for values it cannot convert, and values of configured types are not all checked. */
function isCastLater({ isConfigured, format, type }: FileColumn): boolean {
  return isConfigured === true && format === undefined && type !== "VARCHAR";
}

function looseStructure(column: FileColumn, type: string): unknown {
  return isCastLater(column) && type !== "VARCHAR" ? "JSON" : structureOf(parseType(type));
}

const jsonLiteral = (value: unknown): string => quoteLiteral(JSON.stringify(value));

function objects(file: FileInput, scanned: ScannedFile): string {
  return `read_json_objects([${pathOf(file)}], ${settings(file, scanned)})`;
}

const keyOf = ({ key, name }: FileColumn): string => key ?? name;

const typeInFile = (column: FileColumn): string =>
  column.format === undefined ? (textTypeOf(column) ?? column.type) : "VARCHAR";

/** The type with VARCHAR instead of JSON; unchanged if it has no JSON. */
function typeOfTexts(column: FileColumn): string {
  const type = typeInFile(column);
  return /\bJSON\b/i.test(type) ? formatType(textsFor(parseType(type))) : type;
}

function textsFor(type: TypeTree): TypeTree {
  switch (type.kind) {
    case "struct":
      return { ...type, fields: type.fields.map(([name, field]) => [name, textsFor(field)]) };
    case "list":
      return { ...type, element: textsFor(type.element) };
    case "map":
      return { ...type, value: textsFor(type.value) };
    case "scalar":
      return type.name === "JSON" ? scalar("VARCHAR") : type;
  }
}

function valueOf(column: FileColumn, value: string, readType: string): string {
  const { type, format } = column;
  if (format !== undefined) return `CAST(strptime(${value}, ${quoteLiteral(format)}) AS ${type})`;
  return readType === type || textTypeOf(column) !== null ? value : `CAST(${value} AS ${type})`;
}

function pathOf(file: FileInput): string {
  return quoteLiteral(escapeGlob(file.path));
}

function settings(file: FileInput, { layout, mark, rowBytesMax }: ScannedFile): string {
  const compression = compressionOf(file);
  // Only the reader of whole lines does not skip a byte order mark.
  const format =
    layout === "array" ? "array" : layout === "lines" && mark === null ? "newline_delimited" : "unstructured";
  return [
    `format = '${format}'`,
    `compression = '${compression === "none" ? "uncompressed" : compression}'`,
    `maximum_object_size = ${Math.max(OBJECT_BYTES, rowBytesMax + 1024)}`,
    "hive_partitioning = false",
  ].join(", ");
}

/** Splits columns into the fewest groups without keys that differ only by case. */
function groupByCase(columns: readonly FileColumn[]): FileColumn[][] {
  const groups: { readonly keys: Set<string>; readonly columns: FileColumn[] }[] = [];
  for (const column of columns) {
    const key = keyOf(column).toLowerCase();
    let group = groups.find(({ keys }) => !keys.has(key));
    if (group === undefined) groups.push((group = { keys: new Set(), columns: [] }));
    group.keys.add(key);
    group.columns.push(column);
  }
  return groups.map((group) => group.columns);
}

/** A type in the syntax of `from_json`. */
function structureOf(type: TypeTree): unknown {
  switch (type.kind) {
    case "struct":
      return Object.fromEntries(type.fields.map(([name, field]) => [name, structureOf(field)]));
    case "list":
      return [structureOf(type.element)];
    // Only configured types are of this kind, and those are cast later.
    case "map":
      return "JSON";
    case "scalar":
      return type.parameters.length === 0 ? type.name : `${type.name}(${type.parameters.join(",")})`;
  }
}
