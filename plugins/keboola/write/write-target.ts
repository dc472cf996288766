import type { TableInfo, WriteMode } from "agnes/kit";

import { columnsOf, isNativeText, isTyped, type TableColumn } from "../tables/columns.ts";
import { describeTable } from "../tables/discover.ts";
import { errors } from "../errors.ts";
import { kindOf } from "../tables/kinds.ts";
import type { StorageTable } from "../api/schemas.ts";
import type { Source } from "../source.ts";
import { tableIdOf } from "../tables/table-id.ts";
import { backendOf } from "../tables/types.ts";
import { tableToWrite } from "./write-access.ts";

/** A table that rows are written to. */
export interface WriteTarget {
  readonly info: TableInfo;
  readonly table: StorageTable;
  readonly columns: readonly WriteColumn[];
}

/** A column, with what its table would change without an error. */
export interface WriteColumn {
  readonly name: string;
  /** Why null is not written; null: it is. */
  readonly nullProblem: Problem | null;
  /** Why an empty text is not written; null: it is. */
  readonly emptyProblem: Problem | null;
  /** The digits of a second that the column keeps. */
  readonly secondDigits: number;
}

/** A reason and what to do. */
export interface Problem {
  readonly reason: string;
  readonly advice: string;
}

/**
 * Describes a table to write to; null if the project does not have it.
 * @throws the errors of `tableToWrite`, `keboola/write_refused` for a table that takes no rows in this mode
 */
export async function findWriteTarget(
  source: Source,
  name: string,
  {
    mode,
    bucket,
    signal,
  }: { readonly mode: WriteMode; readonly bucket?: string; readonly signal: AbortSignal },
): Promise<WriteTarget | null> {
  const id = tableIdOf(name, bucket);
  const table = await tableToWrite(source, id, signal);
  if (table === null) return null;
  const { branch } = source.settings;
  const info = describeTable({ table, branch }, await source.describeContext(signal));
  if (info.problem !== undefined) throw info.problem;
  const problem =
    kindProblem(table) ?? modeProblem(table, mode) ?? keyProblem(table, mode) ?? typeProblem(table);
  if (problem !== null) throw errors.write_refused({ table: id, ...problem });
  return { info, table, columns: columnsOf(table).map((column) => writeColumn(column, table)) };
}

function kindProblem(table: StorageTable): Problem | null {
  const kind = kindOf(table);
  if (kind === "table") return null;
  const what = { alias: "an alias", linked: "in a linked bucket", view: "a view", external: "external" }[
    kind
  ];
  return { reason: `it is ${what}`, advice: "Write to a table that Keboola itself stores." };
}

/** Keboola has one incremental import: rows with a known key are updated, in a table without a key all are added. */
function modeProblem({ primaryKey }: StorageTable, mode: WriteMode): Problem | null {
  if (mode === "append" && primaryKey.length > 0)
    return {
      reason: `Keboola cannot append to a table with a primary key (${primaryKey.join(", ")}): it would update the rows whose key exists`,
      advice: "Use the mode `upsert`.",
    };
  if (mode !== "upsert" || primaryKey.length > 0) return null;
  return {
    reason: "it has no primary key, so Keboola would append the rows",
    advice: "Set a primary key in Keboola, or use the mode `append`.",
  };
}

/** Keys of strings are compared as text, and equal values of most types are written in several ways: `1.5` and `1.50`. */
function keyProblem(table: StorageTable, mode: WriteMode): Problem | null {
  if (mode !== "upsert" || isTyped(table)) return null;
  const odd = columnsOf(table).find(
    ({ name, type }) => table.primaryKey.includes(name) && type !== "VARCHAR" && type !== "BIGINT",
  );
  if (odd === undefined) return null;
  return {
    reason: `its key column "${odd.name}" is text in Keboola, described as ${odd.type}: a key that is stored in another form than Agnes writes would be added, not updated`,
    advice: `Remove the data type of "${odd.name}" in Keboola and write the keys as they are stored there, use a typed table, or the mode \`replace\`.`,
  };
}

function typeProblem(table: StorageTable): Problem | null {
  if (!isTyped(table)) return null;
  const odd = columnsOf(table).find(
    ({ type, nativeType }) => type === "VARCHAR" && nativeType !== null && !isNativeText(nativeType),
  );
  if (odd === undefined) return null;
  return {
    reason: `its column "${odd.name}" is ${odd.nativeType}, which text does not represent exactly`,
    advice: "Write to a table without such columns.",
  };
}

function writeColumn({ name, type, nullable, nativeType }: TableColumn, table: StorageTable): WriteColumn {
  const quoted = `"${name.replaceAll('"', '""')}"`;
  const typed = isTyped(table);
  const [, digits] = /^(?:TIME|DATETIME)\w*(?:\((\d)\))/i.exec(nativeType ?? "") ?? [];
  const isOnly = table.columns.length === 1;
  return {
    name,
    nullProblem: nullProblemOf({ quoted, isText: type === "VARCHAR", typed, nullable, isOnly }),
    emptyProblem:
      !typed || backendOf(table.bucket?.backend) === "bigquery"
        ? null
        : {
            reason: "it is an empty text, which Keboola imports as null",
            advice: `Write null instead, \`nullif(${quoted}, '') AS ${quoted}\`, or another text.`,
          },
    secondDigits: digits === undefined ? 6 : Number(digits),
  };
}

function nullProblemOf({
  quoted,
  isText,
  typed,
  nullable,
  isOnly,
}: {
  readonly quoted: string;
  readonly isText: boolean;
  readonly typed: boolean;
  readonly nullable: boolean | null;
  readonly isOnly: boolean;
}): Problem | null {
  const advice = `Exclude the row, or write a value: \`coalesce(${quoted}, …) AS ${quoted}\`.`;
  if (typed && nullable === false) return { reason: "it is null, which the column does not allow", advice };
  if (!typed && isText)
    return {
      reason: "it is null, and a table without types has no null in texts",
      advice: `Write an empty text: \`coalesce(${quoted}, '') AS ${quoted}\`.`,
    };
  // The record would be an empty line, which CSV readers skip.
  return isOnly ? { reason: "it is null, and a row of nothing else cannot be sent", advice } : null;
}
