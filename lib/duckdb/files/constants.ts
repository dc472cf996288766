import { AgnesError } from "../../base/mod.ts";
import type { FileColumn, FileInput } from "../../kit/mod.ts";
import type { Connection } from "../connection.ts";
import { quoteLiteral } from "../sql.ts";
import { originOf } from "./columns.ts";
import { decideTextTypes } from "./text-decide.ts";
import { castText, checkText, PLAIN_NUMBERS, textOrNull } from "./text-types.ts";

/**
 * Returns the columns that occur only in the paths of files.
 * @throws `file_unreadable` for one that differs from a column of the files only by case
 */
export async function constantColumns(
  connection: Connection,
  files: readonly FileInput[],
  columns: readonly FileColumn[],
  types: Readonly<Record<string, string>>,
): Promise<readonly FileColumn[]> {
  const names = [...new Set(files.flatMap(({ constants = {} }) => Object.keys(constants)))];
  for (const name of names) {
    const other = columns.find((column) => column.name.toLowerCase() === name.toLowerCase());
    if (other === undefined || other.name === name) continue;
    const reason = `its path has the column ${JSON.stringify(name)}, which differs from ${JSON.stringify(other.name)} in the files only by case`;
    const file = files.find(({ constants = {} }) => name in constants)!;
    throw new AgnesError("file_unreadable", { path: originOf(file), reason });
  }
  const fresh = names.filter((name) => !columns.some((column) => column.name === name));
  if (fresh.length === 0) return [];
  const rows = files.map(({ constants = {} }) => {
    const values = fresh.map((name) => {
      const value = constants[name] ?? null;
      return value === null ? "CAST(NULL AS VARCHAR)" : quoteLiteral(value);
    });
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
    const type = types[name];
    return type === undefined ? { name, type: decided.get(name)!.type } : { name, type, isConfigured: true };
  });
}

/** The SQL of a column's value from a path; the value is null if the conversion would lose part of the text. */
export function constantValue(column: FileColumn, text: string | null): string {
  if (text === null) return `CAST(NULL AS ${column.type})`;
  const literal = textOrNull(column, quoteLiteral(text));
  const value = castText(column, literal, PLAIN_NUMBERS);
  const check = checkText(column, literal, value, PLAIN_NUMBERS);
  return check === null ? value : `CASE WHEN (${check}) IS NOT FALSE THEN ${value} END`;
}

/** Returns the columns with the canonical names of their types. */
export async function canonicalTypes(
  connection: Connection,
  columns: readonly FileColumn[],
): Promise<readonly FileColumn[]> {
  const open = columns.filter(({ type, isConfigured }) => isConfigured === true || /[([]/.test(type));
  if (open.length === 0) return columns;
  const types = open.map(({ type }, at) => `typeof(CAST(NULL AS ${type})) AS t${at}`);
  const [row] = await connection.rows<Record<string, string>>(`SELECT ${types.join(", ")}`);
  const written = new Map(open.map((column, at) => [column, row![`t${at}`]!]));
  return columns.map((column) => ({ ...column, type: written.get(column) ?? column.type }));
}
