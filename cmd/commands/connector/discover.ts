import { isAgnesError, snakeCase } from "../../../lib/base/mod.ts";
import { columnsOf, fullReadingText, type PublishedColumn } from "../../../lib/extract/mod.ts";
import type { TableInfo } from "../../../lib/kit/mod.ts";
import { command } from "../../cli/command.ts";
import { openAgnes } from "../../workspace/open-agnes.ts";
import { partStatus, type ExitStatus } from "../../cli/exit-status.ts";
import { printRows, textColumn } from "../../terminal/print-rows.ts";

export default command({
  args: {
    source: {
      type: "positional",
      required: true,
      valueHint: "SOURCE",
      description: "A source of agnes.yaml",
    },
  },
  examples: ["agnes connector discover exports"],
  async run(cli, args) {
    await using agnes = await openAgnes(cli);
    const found = await agnes.connectors.discover(args.source, { signal: cli.signal });
    const tables = found.toSorted((a, b) => compareNames(a.name, b.name));
    if (cli.json) {
      await cli.printJson({
        tables: tables.map(({ schema, problem, ...table }) => ({
          ...(snakeCase(table) as object),
          ...(table.reading === undefined ? {} : { read_as: fullReadingText(table.reading) }),
          columns: printedColumns(schema),
          ...(problem === undefined ? {} : { problem: { code: problem.code, message: problem.message } }),
        })),
      });
      return statusOf(tables);
    }
    await printRows(
      cli,
      [
        "table",
        { name: "columns", align: "right" },
        textColumn("primary key"),
        "cursor",
        textColumn("description"),
      ],
      tables.map((table) => [
        table.name,
        table.problem === undefined ? String(table.schema.fields.length) : "",
        table.primaryKey.join(", "),
        table.cursor ?? "",
        table.problem === undefined ? (table.description ?? "") : `cannot be read: ${table.problem.message}`,
      ]),
    );
    const columns = tables.flatMap(({ name: table, schema }) =>
      printedColumns(schema).map(({ name, type, nullable, description = "" }) => [
        table,
        name,
        type,
        nullable ? "yes" : "no",
        description,
      ]),
    );
    if (columns.length > 0) {
      await cli.print("\n");
      await printRows(
        cli,
        ["table", "column", textColumn("type"), "null", textColumn("description")],
        columns,
      );
    }
    for (const { name, reading } of tables) {
      if (reading !== undefined) cli.info(`${name} is read as ${fullReadingText(reading)}`);
    }
    for (const { name, notes = [] } of tables) for (const note of notes) cli.warn(`${name}: ${note}`);
    if (tables.length === 0) cli.info(`${args.source} has no tables.`);
    return statusOf(tables);
  },
});

/** Compares names, ignoring case. */
function compareNames(a: string, b: string): number {
  const [left, right] = [a.toLowerCase(), b.toLowerCase()];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The columns with their published types, or the Arrow type if it is not supported. */
function printedColumns(schema: TableInfo["schema"]): readonly PublishedColumn[] {
  return schema.fields.flatMap((field) => {
    try {
      return columnsOf(schema, [String(field.name)]);
    } catch (error) {
      if (!isAgnesError(error)) throw error;
      return [
        { name: String(field.name), type: `${String(field.type)} (not supported)`, nullable: field.nullable },
      ];
    }
  });
}

/** Tables that the source omits on purpose are not failures. */
function statusOf(tables: readonly TableInfo[]): ExitStatus {
  const bad = tables.flatMap(({ problem, isSkipped }) => (isSkipped === true ? [] : (problem ?? [])));
  return partStatus(tables.length - bad.length, bad);
}
