import { dateOf } from "../dates.ts";
import type { MetadataEntry } from "../api/schemas.ts";

/** The providers whose word counts most, first. Any other comes after them, the newest entry first. */
const PRECEDENCE = ["user", "ai-metadata-enrichment", "keboola.snowflake-transformation", "storage"];

const TYPE_KEYS = ["KBC.datatype.basetype", "KBC.datatype.type"];

/** The type of a column, as one provider describes it. */
export interface DescribedType {
  /** The portable type, such as `NUMERIC`. */
  readonly basetype?: string;
  /** The type in the system it came from, such as `NUMBER`. */
  readonly type?: string;
  /** The length, such as `38,9`. */
  readonly length?: string;
}

/** Returns the type that the provider with the highest precedence describes; null if none does. */
export function describedType(
  entries: readonly MetadataEntry[],
  only?: (provider: string) => boolean,
): DescribedType | null {
  const typed = entries.filter(({ key, value }) => TYPE_KEYS.includes(key) && value !== "");
  const [first] = ordered(typed.filter(({ provider }) => only?.(provider) ?? true));
  if (first === undefined) return null;
  const own = entries.filter(({ provider }) => provider === first.provider);
  const valueOf = (name: string) =>
    own.find(({ key, value }) => key === `KBC.datatype.${name}` && value !== "")?.value;
  const [basetype, type, length] = [valueOf("basetype"), valueOf("type"), valueOf("length")];
  return {
    ...(basetype === undefined ? {} : { basetype }),
    ...(type === undefined ? {} : { type }),
    ...(length === undefined ? {} : { length }),
  };
}

/** Returns the description by the provider with the highest precedence; undefined if there is none. */
export function descriptionOf(entries: readonly MetadataEntry[] | undefined): string | undefined {
  const found = (entries ?? []).filter(({ key, value }) => key === "KBC.description" && value.trim() !== "");
  return ordered(found)[0]?.value;
}

function ordered(entries: readonly MetadataEntry[]): readonly MetadataEntry[] {
  const rank = ({ provider }: MetadataEntry) => {
    const at = PRECEDENCE.indexOf(provider);
    return at < 0 ? PRECEDENCE.length : at;
  };
  // Not as text: the offset changes with daylight saving time.
  const time = ({ timestamp }: MetadataEntry) => dateOf(timestamp)?.getTime() ?? 0;
  return entries.toSorted((one, other) => rank(one) - rank(other) || time(other) - time(one));
}
