import { Field, Schema } from "apache-arrow";

import { AgnesError, isAgnesError, formatValue } from "../../base/mod.ts";
import type { FileChunk, FileInput, FileReading, InspectedFiles, InspectOptions } from "../../kit/mod.ts";
import type { Connection } from "../connection.ts";
import { describeQuery } from "../describe.ts";
import { quoteIdentifier } from "../sql.ts";
import { unknownColumn } from "./columns.ts";
import { inspectCsv } from "./csv/inspect.ts";
import { inspectJson } from "./json/mod.ts";
import { hostFile, type HostFile } from "./open-bytes.ts";
import { inspectParquet } from "./parquet/mod.ts";

/**
 * Decides how the files of one table are read; see `DuckDBEngine.inspect`.
 * @throws `file_unreadable`, `file_row_invalid`, `invalid_input`
 */
export async function inspectFiles(
  connection: Connection,
  files: readonly FileInput[],
  options: InspectOptions,
): Promise<InspectedFiles> {
  const types = await canonicalTypesOf(connection, options.types ?? {});
  const { reading, columns, badRow } =
    files.length === 0
      ? { reading: options.known ?? null, columns: new Map(), badRow: undefined }
      : await decide(
          connection,
          files.map((file) => withOwnConstants({ ...file, files: connection.files })),
          { ...options, types },
        );
  const unknown = unknownColumn(options.types ?? {}, reading?.columns.map(({ name }) => name) ?? []);
  if (reading !== null && unknown !== undefined) {
    const known = reading.columns.map(({ name }) => name).join(", ");
    const reason = `there is no column ${JSON.stringify(unknown)}; the columns are ${known}`;
    throw new AgnesError("invalid_input", { what: "types", reason });
  }
  const schema = await schemaOf(connection, reading);
  return { reading, columns, schema, ...(badRow === undefined ? {} : { badRow }) };
}

/** Returns the reading of a chunk, or decides it from the chunk alone. */
export async function readingOf(
  connection: Connection,
  chunk: FileChunk & { readonly data: string },
  options: Pick<InspectOptions, "types" | "signal"> = {},
): Promise<FileReading | null> {
  if (chunk.reading !== undefined) return chunk.reading;
  const { format, csv } = chunk;
  const types = await canonicalTypesOf(connection, { ...options.types, ...chunk.types });
  const { signal } = options;
  const { reading } = await decide(connection, [withOwnConstants(hostFile(chunk, connection))], {
    format,
    types,
    ...(csv === undefined ? {} : { csv }),
    ...(signal === undefined ? {} : { signal }),
  });
  return reading;
}

async function decide(
  connection: Connection,
  files: readonly HostFile[],
  options: InspectOptions,
): Promise<Pick<InspectedFiles, "reading" | "columns" | "badRow">> {
  const { format } = options;
  if (format === "json" || format === "ndjson") {
    const { columns, perFile, badRow } = await inspectJson(connection, files, options);
    return {
      ...(badRow === undefined ? {} : { badRow }),
      reading: columns.length === 0 ? (options.known ?? null) : { format, columns },
      columns: perFile,
    };
  }
  if (format === "parquet") {
    const { columns, perFile } = await inspectParquet(connection, files, options);
    return {
      reading: columns.length === 0 ? (options.known ?? null) : { format, columns },
      columns: perFile,
    };
  }
  const { dialect, columns, perFile, notes, badRow } = await inspectCsv(connection, files, options);
  if (dialect === null) return { reading: options.known ?? null, columns: perFile };
  const reading = { format, csv: dialect, columns, ...(notes.length === 0 ? {} : { notes }) };
  return { reading, columns: perFile, ...(badRow === undefined ? {} : { badRow }) };
}

/**
 * Returns the canonical names of types: `INTEGER` for `int4`. The result has no inherited keys, because a column may be
 * named `constructor`.
 *
 * @throws `invalid_input` naming the column whose type DuckDB does not support
 */
async function canonicalTypesOf(
  connection: Connection,
  types: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, string>>> {
  const known = new Map<string, string>();
  const canonical = Object.create(null) as Record<string, string>;
  for (const [name, type] of Object.entries(types)) {
    let written = known.get(type);
    if (written === undefined) known.set(type, (written = await canonicalType(connection, name, type)));
    canonical[name] = written;
  }
  return canonical;
}

async function canonicalType(connection: Connection, name: string, type: string): Promise<string> {
  const refusal = (cause?: unknown) =>
    new AgnesError(
      "invalid_input",
      { what: `types.${name}`, reason: `DuckDB has no type ${formatValue(type)}` },
      { cause },
    );
  // The type is inserted into a CAST; unbalanced parentheses would allow SQL injection.
  if (!/^[\w ,"()[\]]+$/.test(type) || !isBalanced(type)) throw refusal();
  try {
    // DESCRIBE would return VARCHAR for JSON.
    const [row] = await connection.rows<{ type: string }>(`SELECT typeof(CAST(NULL AS ${type})) AS type`);
    return row!.type;
  } catch (error) {
    if (!isAgnesError(error, "duckdb_failed")) throw error;
    throw refusal(error);
  }
}

function isBalanced(type: string): boolean {
  let depth = 0;
  for (const character of type.replace(/"[^"]*"/g, "")) {
    if (character === "(") depth += 1;
    if (character === ")") depth -= 1;
    if (depth < 0 || character === '"') return false;
  }
  return depth === 0;
}

/** As in `canonicalTypesOf`, without inherited keys. */
function withOwnConstants(file: HostFile): HostFile {
  const { constants } = file;
  return constants === undefined
    ? file
    : { ...file, constants: Object.assign(Object.create(null), constants) };
}

async function schemaOf(
  connection: Connection,
  reading: FileReading | null,
): Promise<InspectedFiles["schema"]> {
  if (reading === null || reading.columns.length === 0) return new Schema([]);
  const columns = reading.columns.map(
    ({ name, type }) => `CAST(NULL AS ${type}) AS ${quoteIdentifier(name)}`,
  );
  const schema = await describeQuery(connection, `SELECT ${columns.join(", ")}`);
  const described = schema.fields.map((field, at) => {
    const { description } = reading.columns[at]!;
    if (description === undefined) return field;
    return new Field(field.name, field.type, field.nullable, new Map([["description", description]]));
  });
  return new Schema(described);
}
