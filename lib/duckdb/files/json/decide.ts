import type { FileColumn } from "../../../kit/mod.ts";
import { formatType, parseType, type TypeTree } from "../type-tree.ts";
import { decideType, JSON_TEXT, type Fractions } from "./decide-type.ts";
import { fits } from "./fits.ts";
import { widerOfKind } from "./keep-kind.ts";
import type { Field, Shape } from "./shape.ts";

export interface DecideOptions {
  readonly fractions: Fractions;
  readonly types: Readonly<Record<string, string>>;
  /** The known columns of the table. */
  readonly known: readonly FileColumn[];
  /** Whether known columns keep their kind; see `InspectOptions.keepKinds`. */
  readonly keepKinds: boolean;
}

/** The planning time of DuckDB doubles with each level of a nested type, so deeper types are JSON text. */
const LEVELS_MAX = 10;

function columnType(shape: Shape, fractions: Fractions): TypeTree {
  const type = decideType(shape, fractions);
  return levelsOf(type) > LEVELS_MAX ? JSON_TEXT : type;
}

function levelsOf(type: TypeTree): number {
  if (type.kind === "list") return 1 + levelsOf(type.element);
  return type.kind === "struct" ? 1 + Math.max(0, ...type.fields.map(([, field]) => levelsOf(field))) : 0;
}

/** The columns of a table: the known ones first, in order, then new ones in order of appearance. */
export function decideColumns(root: Shape, options: DecideOptions): FileColumn[] {
  const byKey = new Map(options.known.map((column) => [column.key ?? column.name, column]));
  const fresh = root.order.filter((field) => !byKey.has(field.name));
  const names = nameFields(fresh, options.known);
  const columns = options.known.map((column) => decideKnown(column, root, options));
  for (const field of fresh) {
    const name = names.get(field.name)!;
    const configured = options.types[name];
    columns.push({
      name,
      type: configured ?? formatType(columnType(field.shape, options.fractions)),
      ...(name === field.name ? {} : { key: field.name }),
      ...(configured === undefined ? {} : { isConfigured: true }),
    });
  }
  return columns;
}

function decideKnown(
  column: FileColumn,
  root: Shape,
  { types, fractions, keepKinds }: DecideOptions,
): FileColumn {
  const { isConfigured: _isConfigured, format: _format, ...plain } = column;
  const named = types[column.name];
  if (named !== undefined) return { ...column, type: named, isConfigured: true };
  const shape = root.fields!.get(column.key ?? column.name)?.shape;
  const isFit = shape === undefined || fits(shape, parseType(column.type), false);
  if (isFit && column.isConfigured !== true) return column;
  if (keepKinds && shape !== undefined && column.isConfigured !== true) {
    const wider = widerOfKind(shape, parseType(column.type), fractions);
    return { ...column, type: formatType(wider) };
  }
  return { ...plain, type: shape === undefined ? column.type : formatType(columnType(shape, fractions)) };
}

/** Column names for keys: the keys themselves, except for empty ones and those that differ from others only by case. */
function nameFields(fields: readonly Field[], known: readonly FileColumn[]): ReadonlyMap<string, string> {
  const taken = new Set(known.map(({ name }) => name.toLowerCase()));
  const names = new Map<string, string>();
  const keys = fields.map(({ name }) => name).sort(byCase);
  // Keys that keep their name come first, so that no generated name takes theirs.
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

/** Lower case first, so that `name` keeps its name beside `Name` in any order. */
function byCase(one: string, other: string): number {
  const [low, high] = [one.toLowerCase(), other.toLowerCase()];
  if (low !== high) return low < high ? -1 : 1;
  return one === other ? 0 : one > other ? -1 : 1;
}
