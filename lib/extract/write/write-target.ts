import type { PublishedColumn } from "../format/extract-state.ts";
import type { Quarantine } from "./quarantine.ts";

/** What parts are to hold. */
export interface WriteTarget {
  readonly columns: readonly PublishedColumn[];
  /** The condition rows must meet, over the columns as they come; null lets all in. */
  readonly condition: string | null;
  /** The same for chunks that hold all rows of their origin: those replace what is published of it, whatever the cursor. */
  readonly originCondition: string | null;
  /** Whether the rows of a part keep the order of the read. */
  readonly ordered: boolean;
  /** The SQL of a row's hash, when its sum is wanted of each part; null: it will hardly be needed. */
  readonly rowHash: string | null;
  /** Whether the parts will most likely be published as they are written. */
  readonly isFinal: boolean;
  readonly quarantine: Quarantine | null;
}
