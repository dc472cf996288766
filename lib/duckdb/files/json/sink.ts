import type { KnownRow } from "./known-row.ts";
import type { StrangeRow } from "./strange-row.ts";
import type { Numeral } from "./tokens.ts";

/** Takes what a `JsonScanner` finds. A token is `bytes` from `start` to `end`, and valid only during the call. */
export interface JsonSink {
  /** Recognizes rows that need not be told piece by piece; of these nothing is called. */
  readonly knownRow: KnownRow | null;
  openObject(): void;
  openList(): void;
  /** The end of the innermost object or list. */
  close(): void;
  /** A key, without its quotes. */
  key(bytes: Uint8Array, start: number, end: number, isEscaped: boolean): void;
  /** A string, without its quotes. */
  string(bytes: Uint8Array, start: number, end: number, isEscaped: boolean): void;
  number(numeral: Numeral, bytes: Uint8Array, start: number, end: number): void;
  boolean(value: boolean): void;
  null(): void;
  /** A row is complete; `false` ends the scan. */
  row(): boolean;
  /** A value that stands in the place of a row is complete; nothing in it was told. `false` ends the scan. */
  strangeRow(row: StrangeRow): boolean;
}

/** Takes nothing. */
export const ignoringSink: JsonSink = {
  knownRow: null,
  openObject() {},
  openList() {},
  close() {},
  key() {},
  string() {},
  number() {},
  boolean() {},
  null() {},
  row: () => true,
  strangeRow: () => true,
};
