import type { FileColumn } from "../../kit/mod.ts";
import type { NumberSeparators, TextType } from "./text-types.ts";

/** What the texts of a column turned out to be. */
export interface DecidedType extends TextType {
  /** Whether there was any text. */
  readonly isEmpty: boolean;
  /** What stays open: dates that could be read in two orders. */
  readonly ambiguous?: readonly string[];
  /** The format that somebody named and that not all of its dates have; the column stays text. */
  readonly against?: GivenFormat;
}

/** A format that the options name. */
export type GivenFormat = "dateFormat" | "timestampFormat";

export interface DecideOptions {
  readonly numbers?: NumberSeparators;
  /** How numbers with a fraction are read. Default `decimal`. */
  readonly fractions?: "decimal" | "double";
  /** Formats that somebody named; a column of which every text fits is read so. */
  readonly dateFormat?: string | undefined;
  readonly timestampFormat?: string | undefined;
  /** Which types are looked for. Default: all. */
  readonly allow?: "all" | "moments";
  /** What the start of a column said, by name: its own kind of text is looked for first. */
  readonly hints?: ReadonlyMap<string, DecidedType>;
  /** Columns that keep their kind, by name: their texts of other kinds do not count. See `InspectOptions.keepKinds`. */
  readonly keep?: ReadonlyMap<string, FileColumn>;
  readonly signal?: AbortSignal | undefined;
}
