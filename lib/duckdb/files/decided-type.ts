import type { FileColumn } from "../../kit/mod.ts";
import type { NumberSeparators, TextType } from "./text-types.ts";

/** The type decided from the texts of a column. */
export interface DecidedType extends TextType {
  /** Whether the column has no text. */
  readonly isEmpty: boolean;
  /** The possible formats of dates that can be read in two orders. */
  readonly ambiguous?: readonly string[];
  /** The option whose format some of its dates do not match; the column stays text. */
  readonly mismatch?: FormatOption;
}

/** An option that sets a format. */
export type FormatOption = "dateFormat" | "timestampFormat";

export interface DecideOptions {
  readonly numbers?: NumberSeparators;
  /** The type of numbers with a fraction. Default: `decimal`. */
  readonly fractions?: "decimal" | "double";
  /** The configured format of dates; a column whose texts all match it becomes dates. */
  readonly dateFormat?: string | undefined;
  /** The configured format of timestamps. */
  readonly timestampFormat?: string | undefined;
  /** The types to detect. Default: `all`. */
  readonly allow?: "all" | "moments";
  /** The types decided from the start of the columns, by name; they are tested first. */
  readonly hints?: ReadonlyMap<string, DecidedType>;
  /** Columns that keep their kind, by name: texts of other kinds are ignored. See `InspectOptions.keepKinds`. */
  readonly keep?: ReadonlyMap<string, FileColumn>;
  readonly signal?: AbortSignal | undefined;
}
