import type { AgnesError } from "../../../base/mod.ts";
import type { FileColumn, InspectOptions } from "../../../kit/mod.ts";
import type { Connection } from "../../connection.ts";
import { originOf } from "../columns.ts";
import { canonicalTypes, constantColumns } from "../constants.ts";
import type { HostFile } from "../open-bytes.ts";
import { decideColumns } from "./decide.ts";
import { isTextNumeral } from "./keep-kind.ts";
import { scanFile } from "./scan-file.ts";
import { Shape } from "./shape.ts";
import { objectsSeen } from "./objects.ts";
import { nonObjectProblem } from "./non-object-row.ts";
import { ShapeWalk } from "./walk.ts";

/** The result of inspecting JSON files. */
export interface InspectedJson {
  readonly columns: readonly FileColumn[];
  /** The columns of each file, by path: none if it has no row; `null` if only its start was inspected. */
  readonly perFile: ReadonlyMap<string, readonly string[] | null>;
  /** With `skipBadRows`: the error for the first row that is not an object. */
  readonly badRow?: AgnesError;
}

/** Of tables with more bytes, only the start of each file is inspected. */
const WHOLE_BYTES_MAX = 16 * 1024 * 1024;
const SAMPLE_ROWS = 20_480;
export const COLUMNS_MAX = 10_000;

/**
 * Decides the columns of all JSON files of a table, independent of the order of the files: the narrowest types that
 * preserve all inspected values. Configured and known types stay; see `InspectOptions`.
 *
 * @throws `file_row_invalid` for a row that is not an object; `file_unreadable` naming file and line, if a file is not
 *   valid JSON by RFC 8259 or not a table
 */
export async function inspectJson(
  connection: Connection,
  files: readonly HostFile[],
  options: InspectOptions,
): Promise<InspectedJson> {
  const { format, look = "start", types = {}, fractions = "decimal", signal } = options;
  const { skipBadRows = false, keepKinds = false } = options;
  let badRow: AgnesError | undefined;
  const known = options.known?.columns ?? [];
  if (look === "columns") return { columns: known, perFile: new Map(files.map(({ path }) => [path, null])) };
  const root = new Shape();
  const isWhole = look === "whole" || (await totalBytes(files)) <= WHOLE_BYTES_MAX;
  const keys = new Map<string, ReadonlySet<string> | null>();
  for (const file of files) {
    const walk = new ShapeWalk(root, {
      columnsMax: COLUMNS_MAX,
      ...(keepKinds ? { isTextNumeral } : {}),
      ...(skipBadRows
        ? { onNonObjectRow: (row) => void (badRow ??= nonObjectProblem(row).toError(originOf(file))) }
        : {}),
      ...(isWhole ? {} : { rowsMax: SAMPLE_ROWS }),
    });
    const before = objectsSeen();
    const { rows } = await scanFile(file, format === "ndjson", walk, { signal });
    const isPart = !isWhole && rows === SAMPLE_ROWS;
    const own = root.order.filter(({ object }) => object > before).map(({ name }) => name);
    keys.set(file.path, isPart ? null : new Set(own));
  }
  // Without any object, the columns are unknown.
  if (root.order.length === 0 && badRow !== undefined) throw badRow as AgnesError;
  const decided = decideColumns(root, { fractions, types, known, keepKinds });
  const constants = await constantColumns(connection, files, decided, types);
  const columns = await canonicalTypes(connection, [...decided, ...constants]);
  const perFile = new Map(
    files.map(({ path, constants = {} }) => {
      const own = keys.get(path)!;
      const has = ({ name, key = name }: FileColumn) => own!.has(key) || name in constants;
      return [path, own === null ? null : own.size === 0 ? [] : columns.filter(has).map(({ name }) => name)];
    }),
  );
  return { columns, perFile, ...(badRow === undefined ? {} : { badRow }) };
}

async function totalBytes(inputs: readonly HostFile[]): Promise<number> {
  let bytes = 0;
  for (const { files, path } of inputs) bytes += (await files.stat(path))?.sizeBytes ?? 0;
  return bytes;
}
