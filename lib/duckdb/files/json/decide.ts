import type { FileColumn } from "../../../kit/mod.ts";
import { formatType, parseType, scalar, type TypeTree } from "../type-tree.ts";
import { fits } from "./fits.ts";
import type { Field, Shape } from "./shape.ts";

export interface DecideOptions {
  /** How numbers with a fraction and no exponent are read. */
  readonly fractions: "decimal" | "double";
  readonly types: Readonly<Record<string, string>>;
  /** How the table was read before. */
  readonly known: readonly FileColumn[];
}

const VARCHAR = scalar("VARCHAR");
const JSON_TEXT = scalar("JSON");
/** Of kinds that go with nothing else. Where it is nested, all around it is JSON too: a text says not what it was. */
const MIXED_JSON = scalar("JSON");
const SCALE_MAX = 6;
/** Published parts keep a HUGEINT as DECIMAL(38,0). */
const GREATEST_HUGE = 10n ** 38n - 1n;
const LEAST_BIG = -(2n ** 63n);
const GREATEST_BIG = 2n ** 63n - 1n;

/** The narrowest type from which every value of a shape reads back. */
function decideType(shape: Shape, fractions: DecideOptions["fractions"]): TypeTree {
  const isNested = shape.objects > 0 || shape.lists > 0;
  const scalars = [shape.booleans, shape.numbers, shape.strings].filter((count) => count > 0).length;
  if (isNested) {
    if (scalars > 0 || (shape.objects > 0 && shape.lists > 0)) return MIXED_JSON;
    return shape.objects > 0 ? recordType(shape, fractions) : listType(shape, fractions);
  }
  if (scalars !== 1) return VARCHAR;
  if (shape.booleans > 0) return scalar("BOOLEAN");
  return shape.numbers > 0 ? numberType(shape, fractions) : momentType(shape);
}

function recordType(shape: Shape, fractions: DecideOptions["fractions"]): TypeTree {
  if (shape.isOpaque || shape.order.length === 0) return JSON_TEXT;
  const fields = shape.order.map(({ name, shape: field }) => [name, decideType(field, fractions)] as const);
  return fields.some(([, type]) => type === MIXED_JSON) ? MIXED_JSON : { kind: "struct", fields };
}

function listType(shape: Shape, fractions: DecideOptions["fractions"]): TypeTree {
  const { element } = shape;
  if (element === null || !element.isSeen) return JSON_TEXT;
  const type = decideType(element, fractions);
  if (type === MIXED_JSON) return MIXED_JSON;
  return type === JSON_TEXT ? JSON_TEXT : { kind: "list", element: type, length: null };
}

function numberType(shape: Shape, fractions: DecideOptions["fractions"]): TypeTree {
  if (shape.hasNegativeWholeZero) return VARCHAR;
  if (!shape.hasFraction) {
    if (shape.wholeDigits > 39) return VARCHAR;
    if (shape.least >= LEAST_BIG && shape.greatest <= GREATEST_BIG) return scalar("BIGINT");
    const isHuge = shape.least >= -GREATEST_HUGE && shape.greatest <= GREATEST_HUGE;
    return isHuge ? scalar("HUGEINT") : VARCHAR;
  }
  const scale = shape.fractionDigits;
  const decimal: TypeTree = { kind: "scalar", name: "DECIMAL", parameters: ["18", String(scale)] };
  const double = scalar("DOUBLE");
  if (fractions === "decimal" && scale <= SCALE_MAX && fits(shape, decimal, false)) return decimal;
  return fits(shape, double, false) ? double : VARCHAR;
}

function momentType(shape: Shape): TypeTree {
  for (const name of ["DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"]) {
    if (fits(shape, scalar(name), false)) return scalar(name);
  }
  return VARCHAR;
}

/** DuckDB takes a time that doubles with each level to plan a query of a nested type, so deep ones are JSON text. */
const LEVELS_MAX = 10;

function columnType(shape: Shape, fractions: DecideOptions["fractions"]): TypeTree {
  const type = decideType(shape, fractions);
  return levelsOf(type) > LEVELS_MAX ? JSON_TEXT : type;
}

function levelsOf(type: TypeTree): number {
  if (type.kind === "list") return 1 + levelsOf(type.element);
  return type.kind === "struct" ? 1 + Math.max(0, ...type.fields.map(([, field]) => levelsOf(field))) : 0;
}

/** The columns of a table: the known ones first, in their order, then new ones as they first came. */
export function decideColumns(root: Shape, options: DecideOptions): FileColumn[] {
  const byKey = new Map(options.known.map((column) => [column.key ?? column.name, column]));
  const fresh = root.order.filter((field) => !byKey.has(field.name));
  const names = nameFields(fresh, options.known);
  const columns = options.known.map((column) => decideKnown(column, root, options));
  for (const field of fresh) {
    const name = names.get(field.name)!;
    const given = options.types[name];
    columns.push({
      name,
      type: given ?? formatType(columnType(field.shape, options.fractions)),
      ...(name === field.name ? {} : { key: field.name }),
      ...(given === undefined ? {} : { given: true }),
    });
  }
  return columns;
}

function decideKnown(column: FileColumn, root: Shape, { types, fractions }: DecideOptions): FileColumn {
  const { given: _given, format: _format, ...plain } = column;
  const named = types[column.name];
  if (named !== undefined) return { ...column, type: named, given: true };
  const shape = root.fields!.get(column.key ?? column.name)?.shape;
  const isFit = shape === undefined || fits(shape, parseType(column.type), false);
  if (isFit && column.given !== true) return column;
  return { ...plain, type: shape === undefined ? column.type : formatType(columnType(shape, fractions)) };
}

/** Column names for keys: themselves, but for those that are empty or that another has but for its case. */
function nameFields(fields: readonly Field[], known: readonly FileColumn[]): ReadonlyMap<string, string> {
  const taken = new Set(known.map(({ name }) => name.toLowerCase()));
  const names = new Map<string, string>();
  const keys = fields.map(({ name }) => name).sort(byCase);
  // Those that keep their name come first, so that no made up name takes one.
  const changed: string[] = [];
  for (const key of keys) {
    const folded = key.toLowerCase();
    if (key === "" || taken.has(folded)) {
      changed.push(key);
      continue;
    }
    taken.add(folded);
    names.set(key, key);
  }
  for (const key of changed) {
    const base = key === "" ? "column" : key;
    let number = 1;
    while (taken.has(`${base}_${number}`.toLowerCase())) number += 1;
    taken.add(`${base}_${number}`.toLowerCase());
    names.set(key, `${base}_${number}`);
  }
  return names;
}

/** Small letters first, so that `name` keeps its name beside `Name`, whichever came first. */
function byCase(one: string, other: string): number {
  const [low, high] = [one.toLowerCase(), other.toLowerCase()];
  if (low !== high) return low < high ? -1 : 1;
  return one === other ? 0 : one > other ? -1 : 1;
}
