/** hyparquet as a reader of `readers.test.ts`: the same forms as `readers.py` has. */
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, type SchemaElement } from "hyparquet";
import { zstdDecompressSync } from "node:zlib";

/** Whole numbers of days and units, as they stand in the file. */
const raw = (value: number | bigint): Date => String(value) as unknown as Date;
const parsers = {
  dateFromDays: raw,
  timestampFromMilliseconds: raw,
  timestampFromMicroseconds: raw,
  timestampFromNanoseconds: raw,
  stringFromBytes: (bytes: Uint8Array | undefined) =>
    new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes),
};

/** The columns of a Parquet file. */
export async function readWithHyparquet(path: string): Promise<Readonly<Record<string, readonly unknown[]>>> {
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file);
  const rows = await parquetReadObjects({
    file,
    metadata,
    utf8: false,
    parsers: parsers as never,
    compressors: { ZSTD: (input) => zstdDecompressSync(input) },
  });
  const elements = new Map(metadata.schema.map((element) => [element.name, element]));
  const names = Object.keys(rows[0]!);
  return Object.fromEntries(
    names.map((name) => [name, rows.map((row) => canonical(row[name], elements.get(name)))]),
  );
}

function canonical(value: unknown, element: SchemaElement | undefined): unknown {
  if (value === null || value === undefined) return null;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (typeof value === "bigint") {
    const unit = element?.logical_type?.type === "TIME" ? element.logical_type.unit : null;
    const isMicros = unit === "MICROS" || element?.converted_type === "TIME_MICROS";
    return String(isMicros ? value * 1000n : value);
  }
  if (typeof value === "number") return numberText(value, element);
  if (Array.isArray(value)) return value.map((item) => canonical(item, undefined));
  if (element?.converted_type === "MAP") {
    return Object.entries(value).map(([key, item]) => [key, canonical(item, undefined)]);
  }
  if (typeof value === "object") return Object.values(value).map((item) => canonical(item, undefined));
  return typeof value === "string" ? value : JSON.stringify(value);
}

function numberText(value: number, element: SchemaElement | undefined): string {
  const isWhole = element?.type === "INT32" || element?.type === "INT64";
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (value === 0 && !isWhole) return Object.is(value, -0) ? "-0.0" : "0.0";
  return typeof value === "string" ? value : JSON.stringify(value);
}
