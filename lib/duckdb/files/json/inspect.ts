import { stat } from "node:fs/promises";

import type { FileColumn, FileInput, InspectOptions } from "../../../kit/mod.ts";
import type { Connection } from "../../connection.ts";
import { quoteLiteral } from "../../sql.ts";
import { decideTextTypes } from "../text-decide.ts";
import { decideColumns } from "./decide.ts";
import { scanFile } from "./scan-file.ts";
import { Shape } from "./shape.ts";
import { objectsSeen, ShapeWalk } from "./walk.ts";

/** What a look at JSON files found. */
export interface InspectedJson {
  readonly columns: readonly FileColumn[];
  /** By path: the columns of the file, none when it has no row; null when only its start was looked at. */
  readonly perFile: ReadonlyMap<string, readonly string[] | null>;
}

/** Files that are larger together are looked at in part. */
const WHOLE_BYTES_MAX = 64 * 1024 * 1024;
const ROWS_LOOKED_AT = 20_480;
export const COLUMNS_MAX = 10_000;

/**
 * Decides the columns of all JSON files of a table together, whatever the order of the files: the narrowest types from
 * which every value that is looked at reads back. Types that are given or known stay; see `InspectOptions`.
 *
 * @throws `file_unreadable` naming file and line, for what is not JSON by RFC 8259 or no table
 */
export async function inspectJson(
  connection: Connection,
  files: readonly FileInput[],
  options: InspectOptions,
): Promise<InspectedJson> {
  const { format, look = "start", types = {}, fractions = "decimal", signal } = options;
  const known = options.known?.columns ?? [];
  if (look === "columns") return { columns: known, perFile: new Map(files.map(({ path }) => [path, null])) };
  const root = new Shape();
  const isWhole = look === "whole" || (await totalBytes(files)) <= WHOLE_BYTES_MAX;
  const keys = new Map<string, ReadonlySet<string> | null>();
  for (const file of files) {
    const walk = new ShapeWalk(root, {
      columnsMax: COLUMNS_MAX,
      ...(isWhole ? {} : { rowsMax: ROWS_LOOKED_AT }),
    });
    const before = objectsSeen();
    const { rows } = await scanFile(file, format === "ndjson", walk, { signal });
    const isPart = !isWhole && rows === ROWS_LOOKED_AT;
    const own = root.order.filter(({ object }) => object > before).map(({ name }) => name);
    keys.set(file.path, isPart ? null : new Set(own));
  }
  const decided = decideColumns(root, { fractions, types, known });
  const columns = await canonical(connection, [
    ...decided,
    ...(await constantColumns(connection, files, decided, options)),
  ]);
  const perFile = new Map(
    files.map(({ path, constants = {} }) => {
      const own = keys.get(path)!;
      const has = ({ name, key = name }: FileColumn) => own!.has(key) || name in constants;
      return [path, own === null ? null : own.size === 0 ? [] : columns.filter(has).map(({ name }) => name)];
    }),
  );
  return { columns, perFile };
}

/** Columns that the files do not have but their paths. */
async function constantColumns(
  connection: Connection,
  files: readonly FileInput[],
  columns: readonly FileColumn[],
  { types = {} }: InspectOptions,
): Promise<readonly FileColumn[]> {
  const names = [...new Set(files.flatMap(({ constants = {} }) => Object.keys(constants)))];
  const fresh = names.filter((name) => !columns.some((column) => column.name === name));
  if (fresh.length === 0) return [];
  const rows = files.map(({ constants = {} }) => {
    const values = fresh.map((name) =>
      constants[name] == null ? "CAST(NULL AS VARCHAR)" : quoteLiteral(constants[name]),
    );
    return `(${values.join(", ")})`;
  });
  const texts = fresh.map((_, at) => `c${at}`);
  const relation = `(VALUES ${rows.join(", ")}) t(${texts.join(", ")})`;
  const decided = await decideTextTypes(
    connection,
    relation,
    new Map(fresh.map((name, at) => [name, texts[at]!])),
  );
  return fresh.map((name) => {
    const given = types[name];
    return given === undefined ? { name, type: decided.get(name)!.type } : { name, type: given, given: true };
  });
}

async function totalBytes(files: readonly FileInput[]): Promise<number> {
  let bytes = 0;
  for (const { path } of files) bytes += (await stat(path)).size;
  return bytes;
}

/** The types as DuckDB writes them. */
async function canonical(connection: Connection, columns: readonly FileColumn[]): Promise<FileColumn[]> {
  const nested = columns.filter(({ type, given }) => given === true || /[([]/.test(type));
  if (nested.length === 0) return [...columns];
  const types = nested.map(({ type }, at) => `typeof(CAST(NULL AS ${type})) AS t${at}`);
  const [row] = await connection.rows<Record<string, string>>(`SELECT ${types.join(", ")}`);
  const written = new Map(nested.map((column, at) => [column, row![`t${at}`]!]));
  return columns.map((column) => ({ ...column, type: written.get(column) ?? column.type }));
}
