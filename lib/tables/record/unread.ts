import { isDeepStrictEqual } from "node:util";

/**
 * Fields that earlier versions stored although no code read them, with the defaults they had. A registry keeps their
 * values unread, an import ignores them and reports it, and a change cannot set them. A field returns to the schema
 * together with the code that reads it.
 */
const unreadFields: Readonly<Record<string, unknown>> = {
  bq_fqn: null,
};

/** Fields that earlier versions wrote into every row. */
const earlierFields = [...Object.keys(unreadFields), "profile_after_sync", "server_only"];

/** The value that earlier versions stored for an unset `initial_load_chunk_days`. */
const EARLIER_CHUNK_DAYS = 30;

/** A stored row without the value of `initial_load_chunk_days` that an earlier version wrote into every row. */
export function withoutEarlierDefault<T extends object>(row: T): T {
  // Earlier versions wrote all their fields; later ones write only those with a value.
  const isEarlier = earlierFields.every((field) => Object.hasOwn(row, field));
  const { initial_load_chunk_days: days, ...rest } = row as T & {
    readonly initial_load_chunk_days?: unknown;
  };
  return isEarlier && days === EARLIER_CHUNK_DAYS ? (rest as T) : row;
}

/** Splits the fields of stored or imported content into those of the schema and the unread ones with a value. */
export function withoutUnread<T extends object>(
  content: T,
): { readonly fields: T; readonly unread: Readonly<Record<string, unknown>> | undefined } {
  const entries = Object.entries(content);
  const fields = Object.fromEntries(entries.filter(([key]) => !Object.hasOwn(unreadFields, key))) as T;
  const withValue = entries.filter(
    ([key, value]) =>
      Object.hasOwn(unreadFields, key) && value !== null && !isDeepStrictEqual(value, unreadFields[key]),
  );
  return { fields, unread: withValue.length === 0 ? undefined : Object.fromEntries(withValue) };
}

/** The unread fields that differ between two states of a table; the log of an earlier version may hold such changes. */
export function changedUnread(
  before: { readonly unread?: Readonly<Record<string, unknown>> } | null,
  after: { readonly unread?: Readonly<Record<string, unknown>> } | null,
): readonly string[] {
  if (after === null) return [];
  return Object.keys(unreadFields).filter(
    (field) => !isDeepStrictEqual(before?.unread?.[field], after.unread?.[field]),
  );
}
