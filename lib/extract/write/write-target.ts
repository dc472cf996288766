import type { PublishedColumn } from "../format/extract-state.ts";
import type { Quarantine } from "./quarantine.ts";

/** The target of the parts of a read. */
export interface WriteTarget {
  readonly columns: readonly PublishedColumn[];
  /** The SQL condition that rows must meet, over the source columns; null: none. */
  readonly condition: string | null;
  /** The condition for chunks with all rows of an origin, which replace its published rows regardless of the cursor. */
  readonly originCondition: string | null;
  /** The maximum number of rows of all parts, of those that meet the condition; null: all. */
  readonly limit: number | null;
  /** Whether the rows of a part keep the order of the read. */
  readonly ordered: boolean;
  /** The SQL of the row hash to add up for each part; null if it is probably not needed. */
  readonly rowHash: string | null;
  /** Whether the parts will probably be published unchanged. */
  readonly isFinal: boolean;
  readonly quarantine: Quarantine | null;
}
