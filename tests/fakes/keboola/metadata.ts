import { formatDate } from "./dates.ts";

/** A value with the component that wrote it. */
export interface MetadataEntry {
  readonly id: string;
  readonly key: string;
  readonly value: string;
  readonly provider: string;
  readonly timestamp: string;
}

/** A value to be written. */
export interface NewMetadata {
  readonly key: string;
  readonly value: string;
  /** Default: `user`. */
  readonly provider?: string;
}

/** Returns the entries with new ones; one of the same key and provider is replaced. */
export function withMetadata(
  entries: readonly MetadataEntry[],
  added: readonly NewMetadata[],
  { now, nextId }: { readonly now: Date; readonly nextId: () => number },
): readonly MetadataEntry[] {
  return added.reduce((all, { key, value, provider = "user" }) => {
    const old = all.find((entry) => entry.key === key && entry.provider === provider);
    const id = old?.id ?? String(nextId());
    const entry = { id, key, value, provider, timestamp: formatDate(now) };
    return [...all.filter((one) => one !== old), entry];
  }, entries);
}
