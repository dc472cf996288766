import * as v from "valibot";

import { isPlainObject, kindOf } from "./json.ts";

/** What the registry states about a column of a table, to write it to the source. */
export interface RegisteredColumn {
  /** The description of the column. */
  readonly description?: string;
  /** The type of the column in SQL, such as `DECIMAL(12,2)`. */
  readonly type?: string;
}

/** A change of `RegisteredColumn`: a missing part keeps its value, `null` removes it. */
export interface RegisteredColumnChange {
  readonly description?: string | null | undefined;
  readonly type?: string | null | undefined;
}

const COLUMNS_MAX = 2000;
/** The length of all columns together as JSON, because each change stores all of them. */
const LENGTH_MAX = 200_000;

/** The schemas of names and texts, which `tableChange` uses, too. */
interface Parts {
  readonly columnName: v.GenericSchema<unknown, string>;
  readonly text: (maxLength: number) => v.GenericSchema<string, string>;
}

/**
 * The schema of a change of `column_metadata`: by column, `null` removes it. Not `v.record`, which skips columns with names
 * that all objects inherit, such as `constructor`.
 */
export function columnMetadataSchema({ columnName, text }: Parts) {
  const filled = (maxLength: number) =>
    v.pipe(
      v.string("should be text"),
      text(maxLength),
      v.check((value) => value.trim() !== "", "is empty; use null to remove it"),
    );
  const schemas: Readonly<Record<string, v.GenericSchema>> = {
    description: filled(4000),
    type: filled(200),
  };
  const problemOf = (column: string, parts: unknown): string | undefined => {
    const place = `the column ${JSON.stringify(column.slice(0, 60))}`;
    const [badName] = v.safeParse(columnName, column).issues ?? [];
    if (badName !== undefined) return `${place} ${badName.message}`;
    if (parts === null) return undefined;
    if (!isPlainObject(parts)) return `${place} should be an object, but is ${kindOf(parts)}`;
    for (const [part, value] of Object.entries(parts)) {
      if (!Object.hasOwn(schemas, part))
        return `${place} has an unknown key ${JSON.stringify(part.slice(0, 60))}; it may have ${Object.keys(schemas).join(", ")}`;
      const [bad] =
        value === null || value === undefined ? [] : (v.safeParse(schemas[part]!, value).issues ?? []);
      if (bad !== undefined) return `${place}: its ${part} ${bad.message}`;
    }
    return undefined;
  };
  return v.pipe(
    v.custom<Readonly<Record<string, RegisteredColumnChange | null>>>(isPlainObject, "an object of fields"),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      const entries = Object.entries(dataset.value);
      const size = columnMetadataProblem(dataset.value);
      const problem =
        size ?? entries.map(([name, parts]) => problemOf(name, parts)).find((one) => one !== undefined);
      if (problem !== undefined) addIssue({ message: problem });
    }),
  );
}

/** Why there is too much metadata of columns; undefined if there is not. */
export function columnMetadataProblem(columns: object): string | undefined {
  if (Object.keys(columns).length > COLUMNS_MAX) return `should have at most ${COLUMNS_MAX} columns`;
  if (JSON.stringify(columns).length > LENGTH_MAX)
    return `should have at most ${LENGTH_MAX} characters as JSON`;
  return undefined;
}

/** Applies a change to the metadata of columns. Columns are sorted, so that equal content is equal. */
export function mergedColumnMetadata(
  base: Readonly<Record<string, RegisteredColumn>>,
  change: Readonly<Record<string, RegisteredColumnChange | null>>,
): Readonly<Record<string, RegisteredColumn>> {
  const names = [...new Set([...Object.keys(base), ...Object.keys(change)])].sort();
  const own = <T>(of: Readonly<Record<string, T>>, name: string) =>
    Object.hasOwn(of, name) ? of[name] : undefined;
  const entries = names.flatMap((name): (readonly [string, RegisteredColumn])[] => {
    const next = own(change, name);
    if (next === null) return [];
    const { description, type } = { ...own(base, name), ...withoutUndefined(next ?? {}) };
    const parts: RegisteredColumn = {
      ...(description == null ? {} : { description }),
      ...(type == null ? {} : { type }),
    };
    return Object.keys(parts).length === 0 ? [] : [[name, parts]];
  });
  return Object.fromEntries(entries);
}

/** The change that replaces all metadata of columns by that of a document. */
export function replacedColumnMetadata(
  base: Readonly<Record<string, RegisteredColumn>>,
  document: Readonly<Record<string, RegisteredColumnChange | null>>,
): Readonly<Record<string, RegisteredColumnChange | null>> {
  const removed = Object.keys(base).map((name) => [name, null] as const);
  const set = Object.entries(document).map(
    ([name, parts]) => [name, parts && { description: null, type: null, ...parts }] as const,
  );
  return Object.fromEntries([...removed, ...set]);
}

function withoutUndefined(parts: RegisteredColumnChange): RegisteredColumnChange {
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined));
}
