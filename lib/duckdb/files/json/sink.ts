import type { KnownRow } from "./known-row.ts";
import type { NonObjectRow } from "./non-object-row.ts";
import type { Numeral } from "./tokens.ts";

/** Receives the tokens of a `JsonScanner`. A token is `bytes` from `start` to `end` and is valid only during the call. */
export interface JsonSink {
  /** Recognizes rows that need no calls for their tokens. */
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
  /** A row that is not an object is complete; its tokens were not reported. `false` ends the scan. */
  nonObjectRow(row: NonObjectRow): boolean;
}

/** Ignores all tokens. */
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
  nonObjectRow: () => true,
};
