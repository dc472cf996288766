import * as arrow from "apache-arrow";

import { AgnesError, copyRow, formatValue } from "../../base/mod.ts";
import type { Row } from "../batch.ts";
import type { TableInfo } from "../table.ts";
import { builderOf } from "./builders.ts";
import { fieldBuilder } from "./nested.ts";

/** A row that does not match the table's schema. */
export interface RowReject {
  /** The number of the row in the read, counted from 1. */
  readonly row: number;
  /** The first column that does not match, with the path of a nested value: `tags[2].name`. */
  readonly column: string;
  /** The value, printable and truncated. */
  readonly value: string;
  readonly reason: string;
  /** The whole row, unmodified. */
  readonly record: unknown;
  /** The origin of the row's chunk, such as its file; `row` is then counted per origin. */
  readonly origin?: string;
}

/** Options of `createRowBuilder`. */
export interface RowBuilderOptions {
  /** The columns to build, in this order. Default: all columns of the schema. */
  readonly columns?: readonly string[];
  /** Called with each rejected row, which is omitted. Default: the first one throws `value_invalid`. */
  readonly onReject?: (reject: RowReject) => void;
  /** The columns whose invalid values become null, also if only a nested value is invalid. Default: none. */
  readonly invalidAsNull?: {
    readonly columns: ReadonlySet<string>;
    /** Called with the column of each such value. */
    readonly onNull: (column: string) => void;
  };
  /** The number of rows in a batch. Default: 8192. */
  readonly batchRows?: number;
}

/** Turns row objects into Arrow batches of one schema. */
export interface RowBuilder {
  /** The schema of every batch. */
  readonly schema: arrow.Schema;
  /** Appends rows and returns the batches that are full: none, one or several. */
  append(rows: readonly Row[]): readonly arrow.RecordBatch[];
  /** Returns the remaining rows; call it after the last row, and before anything that must follow these rows. */
  finish(): readonly arrow.RecordBatch[];
  /** The number of appended rows. */
  readonly rows: number;
  /** The number of rejected rows. */
  readonly rejected: number;
  /** The number of occurrences of each key that is not a column. */
  readonly unknownKeys: ReadonlyMap<string, number>;
}

/**
 * Creates a builder that turns row objects into Arrow batches of the table's schema.
 *
 * A missing key is null. The builder does not modify rows; the caller may, after `append`. Keys that are not columns are
 * counted and ignored.
 *
 * @throws `value_invalid` from `append` and `finish`, with table, row, column and value
 * @example
 * ```ts
 * import { createRowBuilder, int64, table, utf8 } from "agnes/kit";
 * const builder = createRowBuilder(table("people", { id: int64(), name: utf8() }));
 * const batches = [...builder.append([{ id: 1, name: "Ada" }, { id: "2" }]), ...builder.finish()];
 * batches[0]?.numRows; // 2
 * ```
 */
export function createRowBuilder(
  table: Pick<TableInfo, "name" | "schema">,
  options: RowBuilderOptions = {},
): RowBuilder {
  return new TypedRowBuilder(table, options);
}

class TypedRowBuilder implements RowBuilder {
  readonly schema: arrow.Schema;
  readonly unknownKeys = new Map<string, number>();
  rows = 0;
  rejected = 0;
  readonly #table: string;
  readonly #onReject: ((reject: RowReject) => void) | undefined;
  readonly #invalidAsNull: RowBuilderOptions["invalidAsNull"];
  readonly #batchRows: number;
  readonly #known: ReadonlySet<string>;
  readonly #columns: readonly { readonly name: string; readonly build: ReturnType<typeof fieldBuilder> }[];
  readonly #names: readonly string[];
  readonly #values: unknown[] = [];
  #pending: Row[] = [];

  constructor(table: Pick<TableInfo, "name" | "schema">, options: RowBuilderOptions) {
    const { columns } = options;
    this.schema = columns === undefined ? table.schema : ordered(table.schema, columns);
    this.#table = table.name;
    this.#onReject = options.onReject;
    this.#invalidAsNull = options.invalidAsNull;
    this.#batchRows = options.batchRows ?? 8192;
    this.#known = new Set(table.schema.names as string[]);
    this.#names = this.schema.names as string[];
    this.#columns = this.schema.fields.map((field) => ({
      name: field.name,
      build: fieldBuilder(field, builderOf),
    }));
  }

  append(rows: readonly Row[]): readonly arrow.RecordBatch[] {
    const batches: arrow.RecordBatch[] = [];
    let from = 0;
    if (this.#pending.length > 0) {
      from = Math.min(rows.length, this.#batchRows - this.#pending.length);
      for (let i = 0; i < from; i += 1) this.#keep(rows[i]!);
      if (this.#pending.length === this.#batchRows) batches.push(...this.finish());
    }
    for (; rows.length - from >= this.#batchRows; from += this.#batchRows) {
      batches.push(...this.#batch(rows.slice(from, from + this.#batchRows)));
    }
    for (; from < rows.length; from += 1) this.#keep(rows[from]!);
    return batches;
  }

  /** Copies the rows, because the caller may reuse the objects. */
  #keep(row: Row): void {
    this.#pending.push(copyRow(row, this.#names));
  }

  finish(): readonly arrow.RecordBatch[] {
    const pending = this.#pending;
    this.#pending = [];
    return pending.length === 0 ? [] : this.#batch(pending);
  }

  #batch(rows: readonly Row[]): readonly arrow.RecordBatch[] {
    const first = this.rows + 1;
    this.rows += rows.length;
    const rejects = new Map<number, RowReject>();
    const nulls = new Map<number, Set<string>>();
    const refuse = (index: number, name: string, value: unknown, reason: string, path = "") => {
      if (this.#invalidAsNull?.columns.has(name) === true) {
        const names = nulls.get(index);
        if (names === undefined) nulls.set(index, new Set([name]));
        else names.add(name);
        return;
      }
      if (rejects.has(index)) return;
      const column = `${name}${path}`;
      const reject = { row: first + index, column, value: formatValue(value), reason, record: rows[index] };
      if (this.#onReject === undefined) throw invalid(this.#table, reject);
      rejects.set(index, reject);
    };
    const objects = this.#objects(rows, refuse);
    const batch = this.#build(objects, refuse);
    if (rejects.size === 0 && nulls.size === 0) return [batch];
    for (const [, reject] of [...rejects].sort(([a], [b]) => a - b)) this.#onReject?.(reject);
    this.rejected += rejects.size;
    const kept = objects.flatMap((row, index) => {
      if (rejects.has(index)) return [];
      const names = [...(nulls.get(index) ?? [])];
      for (const name of names) this.#invalidAsNull!.onNull(name);
      return [
        names.length === 0 ? row : { ...row, ...Object.fromEntries(names.map((name) => [name, null])) },
      ];
    });
    // The remaining values have just been validated.
    return kept.length === 0 ? [] : [this.#build(kept, () => {})];
  }

  #build(
    rows: readonly Row[],
    refuse: (index: number, column: string, value: unknown, reason: string, path: string) => void,
  ): arrow.RecordBatch {
    const { length } = rows;
    const values = this.#values;
    const children = this.#columns.map(({ name, build }) => {
      for (let i = 0; i < length; i += 1) values[i] = rows[i]![name];
      return build(values, length, (index, value, reason, path = "") =>
        refuse(index, name, value, reason, path),
      );
    });
    const type = new arrow.Struct(this.schema.fields);
    return new arrow.RecordBatch(this.schema, arrow.makeData({ type, length, nullCount: 0, children }));
  }

  /** Counts unknown keys and rejects values that are not objects; an empty object replaces them. */
  #objects(
    rows: readonly Row[],
    refuse: (index: number, column: string, value: unknown, reason: string) => void,
  ): readonly Row[] {
    let replaced: Row[] | undefined;
    let lastKeys: readonly string[] = [];
    let unknown: readonly string[] = [];
    for (let i = 0; i < rows.length; i += 1) {
      const row: unknown = rows[i];
      if (typeof row !== "object" || row === null || Array.isArray(row)) {
        refuse(i, "", row, "the row is not an object");
        replaced ??= [...rows];
        replaced[i] = {};
        continue;
      }
      // Rows of one read nearly always have the same keys, and comparing them is much cheaper than lookups.
      const keys = Object.keys(row);
      if (!sameKeys(keys, lastKeys)) {
        lastKeys = keys;
        unknown = keys.filter((key) => !this.#known.has(key));
      }
      for (const key of unknown) this.unknownKeys.set(key, (this.unknownKeys.get(key) ?? 0) + 1);
    }
    return replaced ?? rows;
  }
}

function sameKeys(keys: readonly string[], others: readonly string[]): boolean {
  if (keys.length !== others.length) return false;
  for (let i = 0; i < keys.length; i += 1) if (keys[i] !== others[i]) return false;
  return true;
}

function ordered(schema: arrow.Schema, columns: readonly string[]): arrow.Schema {
  const fields = columns.map((name) => {
    const field = schema.fields.find((candidate) => candidate.name === name);
    if (field === undefined) {
      throw new AgnesError("invalid_input", {
        what: "the list of columns",
        reason: `there is no column ${formatValue(name)}`,
      });
    }
    return field;
  });
  return new arrow.Schema(fields, schema.metadata);
}

function invalid(table: string, { row, column, value, reason }: RowReject): AgnesError {
  return new AgnesError("value_invalid", { table, row, column, value, reason });
}
