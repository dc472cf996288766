import * as duckdb from "@duckdb/node-api";
import native from "@duckdb/node-bindings";
import * as arrow from "apache-arrow";

import {
  BoolReader,
  DecimalReader,
  FixedReader,
  StringReader,
  TextReader,
  type ColumnReader,
} from "./column-readers.ts";
import { FixedListReader, ListReader, StructReader } from "./nested-readers.ts";
import { isSimpleType, SOURCE_TYPE, toArrowType } from "./types.ts";

/** Collects the chunks of a result into Arrow batches. */
export interface BatchReader {
  readonly schema: arrow.Schema;
  readonly names: readonly string[];
  /** Returns whether the batch is full once a chunk is added. */
  isFullWith(chunk: native.DataChunk): boolean;
  add(chunk: native.DataChunk): void;
  /** Returns the rows since the last batch. */
  take(): arrow.RecordBatch;
  /** Returns the last batch; `null` if it would be empty. */
  finish(): arrow.RecordBatch | null;
}

const CHUNK_ROWS = 2048;

/** Creates a reader for batches of `batchRows`, rounded up to whole chunks. */
export function createBatchReader(result: native.Result, batchRows: number): BatchReader {
  const { names, types, schema, struct } = resultColumns(result);
  let columns: readonly ColumnReader[] | null = null;
  let rows = 0;
  const take = (): arrow.RecordBatch => {
    const children = (columns ?? []).map((column) => column.take());
    const data = arrow.makeData({ type: struct, length: rows, nullCount: 0, children });
    columns = null;
    rows = 0;
    return new arrow.RecordBatch(schema, data);
  };
  return {
    schema,
    names,
    take,
    isFullWith: (chunk) => rows + native.data_chunk_get_size(chunk) >= batchRows,
    add(chunk) {
      const size = native.data_chunk_get_size(chunk);
      // A short chunk is usually the only one, and memory for a whole batch takes longer to clear than to read it.
      columns ??= types.map((type) => readerOf(type, size < CHUNK_ROWS ? size : batchRows + CHUNK_ROWS));
      for (const [index, column] of columns.entries()) {
        column.load(native.data_chunk_get_vector(chunk, index), size);
        column.copy(0, size);
      }
      rows += size;
    },
    finish: () => (rows === 0 ? null : take()),
  };
}

/** The columns of a result and their Arrow types. */
interface ResultColumns {
  readonly names: readonly string[];
  readonly types: readonly duckdb.DuckDBType[];
  readonly schema: arrow.Schema;
  readonly struct: arrow.Struct;
}

/** The number of lists of columns that are kept. */
const KNOWN_MAX = 100;

/** Results with more columns take so long that their description does not matter. */
const KNOWN_COLUMNS_MAX = 50;

/** The columns of the last results, by their names and types: to describe them takes as long as to read twenty rows. */
const known = new Map<string, ResultColumns>();

function resultColumns(result: native.Result): ResultColumns {
  const key = keyOf(result);
  if (key === null) return describedColumns(result);
  const columns = known.get(key) ?? describedColumns(result);
  known.delete(key);
  known.set(key, columns);
  if (known.size > KNOWN_MAX) known.delete(known.keys().next().value!);
  return columns;
}

/** Returns a text that determines the columns; null if there are many, or if a number of a type does not determine the type. */
function keyOf(result: native.Result): string | null {
  const count = native.column_count(result);
  if (count > KNOWN_COLUMNS_MAX) return null;
  let key = "";
  for (let at = 0; at < count; at += 1) {
    const type = native.column_type(result, at);
    if (!isSimpleType(type)) return null;
    const name = native.column_name(result, at);
    key += `${type} ${name.length} ${name}`;
  }
  return key;
}

function describedColumns(result: native.Result): ResultColumns {
  const described = new duckdb.DuckDBResult(result);
  const names = described.columnNames();
  const types = described.columnTypes();
  const fields = names.map((name, index) => {
    const metadata = metadataOf(types[index]!);
    return new arrow.Field(name, toArrowType(types[index]!), true, metadata);
  });
  const schema = new arrow.Schema(fields);
  return { names, types, schema, struct: new arrow.Struct(schema.fields) };
}

function metadataOf(type: duckdb.DuckDBType): Map<string, string> | undefined {
  const format = formatOf(type);
  const entries: [string, string][] = format === undefined ? [] : [["description", format]];
  const isText = arrow.DataType.isUtf8(toArrowType(type)) && type.typeId !== duckdb.DuckDBTypeId.VARCHAR;
  if (isText || type.typeId === duckdb.DuckDBTypeId.GEOMETRY) {
    entries.push([SOURCE_TYPE, duckdb.DuckDBTypeId[type.typeId]]);
  }
  return entries.length === 0 ? undefined : new Map(entries);
}

/** Returns the format of the values of a column, if the Arrow type does not determine it. */
function formatOf({ typeId }: duckdb.DuckDBType): string | undefined {
  if (typeId === duckdb.DuckDBTypeId.GEOMETRY) return "GEOMETRY as well-known binary (WKB)";
  if (typeId === duckdb.DuckDBTypeId.VARIANT) return "VARIANT as JSON";
  return typeId === duckdb.DuckDBTypeId.UNION ? "UNION as JSON, an object of its one member" : undefined;
}

function readerOf(source: duckdb.DuckDBType, rows: number): ColumnReader {
  const type = toArrowType(source);
  if (source instanceof duckdb.DuckDBDecimalType) return new DecimalReader(type, rows, source.width);
  if (source instanceof duckdb.DuckDBListType) {
    return new ListReader(type, rows, readerOf(source.valueType, rows));
  }
  if (source instanceof duckdb.DuckDBArrayType) {
    const items = readerOf(source.valueType, rows * source.length);
    return new FixedListReader(type, rows, items, source.length);
  }
  if (source instanceof duckdb.DuckDBStructType && source.entryCount > 0) {
    return new StructReader(
      type,
      rows,
      source.entryTypes.map((entry) => readerOf(entry, rows)),
    );
  }
  if (source instanceof duckdb.DuckDBMapType) {
    const entries = new StructReader((type as arrow.Map_).children[0]!.type, rows, [
      readerOf(source.keyType, rows),
      readerOf(source.valueType, rows),
    ]);
    return new ListReader(type, rows, entries);
  }
  if (source.typeId === duckdb.DuckDBTypeId.VARCHAR || arrow.DataType.isBinary(type)) {
    return new StringReader(type, rows);
  }
  if (arrow.DataType.isUtf8(type)) return new TextReader(type, rows, source);
  if (arrow.DataType.isBool(type)) return new BoolReader(type, rows);
  return new FixedReader(type, rows, widthOf(type));
}

function widthOf(type: arrow.DataType): number {
  if (arrow.DataType.isDecimal(type)) return 16;
  if (arrow.DataType.isInt(type)) return type.bitWidth / 8;
  if (arrow.DataType.isFloat(type)) return type.precision === arrow.Precision.DOUBLE ? 8 : 4;
  return arrow.DataType.isDate(type) ? 4 : 8;
}
