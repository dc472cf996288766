import { arrow, toSchema } from "agnes/kit";

import { describedType, descriptionOf } from "./metadata-providers.ts";
import type { Definition, MetadataEntry, StorageTable } from "../api/schemas.ts";
import { backendOf, columnOfType, describedColumnType, nativeType, type ColumnType } from "./types.ts";

/** A column of a table. */
export interface TableColumn {
  readonly name: string;
  readonly type: ColumnType;
  /** The type in Keboola, such as `NUMBER(12,2)`; null if it is not known. */
  readonly nativeType: string | null;
  /** Whether null is possible; null if it is not known. */
  readonly nullable: boolean | null;
  readonly description?: string;
}

/** Whether the table has native types; otherwise all its values are text. */
export function isTyped({ isTyped: flag, definition }: StorageTable): boolean {
  return flag ?? (definition !== null && definition !== undefined);
}

/**
 * Returns the columns of a table. The types of a typed table come from its definition, or in a list, which has none, from
 * the metadata that the storage itself keeps; what people and components wrote about it does not count. Those of an
 * untyped table come from its metadata, those of an alias from the metadata of its source.
 */
export function columnsOf(table: StorageTable): readonly TableColumn[] {
  const backend = backendOf(table.bucket?.backend);
  const definitions = definitionsOf(table);
  const typed = isTyped(table);
  return table.columns.map((name) => {
    const entries = entriesOf(table, name);
    const description = descriptionOf(entries);
    const described = description === undefined ? {} : { description };
    const native = typed ? nativeOf(definitions.get(name), entries) : null;
    if (native !== null) {
      const type = nativeType(native, backend);
      return { name, type, nativeType: written(native), nullable: native.nullable ?? null, ...described };
    }
    const guess = typed ? null : describedType(entries);
    const type = guess === null ? "VARCHAR" : describedColumnType(guess);
    return { name, type, nativeType: typed ? null : "STRING", nullable: typed ? null : false, ...described };
  });
}

/** Whether values of a native type are text as it was written, unlike those of VARIANT or BINARY. */
export function isNativeText(nativeType: string): boolean {
  return /^(VARCHAR|CHAR|CHARACTER|STRING|TEXT|NCHAR|NVARCHAR)\b/i.test(nativeType);
}

/** The columns as an Arrow schema, in their order. */
export function schemaOf(columns: readonly TableColumn[]): arrow.Schema {
  return new arrow.Schema(
    columns.flatMap(({ name, type, description }) => {
      const column = columnOfType(type, description === undefined ? {} : { description });
      return toSchema({ [name]: column }).fields;
    }),
  );
}

interface NativeType {
  readonly type: string;
  readonly length?: string | number | null | undefined;
  readonly nullable?: boolean | null | undefined;
}

function nativeOf(definition: NativeType | undefined, entries: readonly MetadataEntry[]): NativeType | null {
  if (definition !== undefined) return definition;
  const own = describedType(entries, (provider) => provider === "storage");
  const type = own?.type ?? own?.basetype;
  if (type === undefined) return null;
  return { type, ...(own?.length === undefined ? {} : { length: own.length }) };
}

function definitionsOf({ definition, sourceTable }: StorageTable): ReadonlyMap<string, NativeType> {
  const columnsIn = (one: Definition | null | undefined) =>
    (one?.columns ?? []).flatMap(({ name, definition: native }) =>
      native === undefined ? [] : [[name, native] as const],
    );
  return new Map([...columnsIn(sourceTable?.definition), ...columnsIn(definition)]);
}

/** The metadata of a column. An alias has none of its own, except what people wrote about it. */
export function entriesOf(
  { columnMetadata, sourceTable }: StorageTable,
  column: string,
): readonly MetadataEntry[] {
  const own = columnMetadata?.get(column) ?? [];
  const source = sourceTable?.columnMetadata?.get(column) ?? [];
  const providers = new Set(own.map(({ provider, key }) => `${provider} ${key}`));
  return [...own, ...source.filter(({ provider, key }) => !providers.has(`${provider} ${key}`))];
}

function written({ type, length }: NativeType): string {
  return length === null || length === undefined || type.includes("(") ? type : `${type}(${length})`;
}
