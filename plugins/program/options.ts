import * as v from "valibot";

const text = (description: string) => v.pipe(v.string(), v.nonEmpty(), v.description(description));

const minutes = (fallback: number, description: string) =>
  v.optional(v.pipe(v.number(), v.gtValue(0), v.maxValue(1440), v.description(description)), fallback);

const settings = (description: string) =>
  v.optional(v.pipe(v.record(v.string(), v.unknown()), v.description(description)), {});

const tableOptions = v.strictObject({
  primaryKey: v.optional(
    v.pipe(v.array(text("A column")), v.description("The columns that identify a row. Default: none")),
    [],
  ),
  cursor: v.optional(text("The column with increasing values, for incremental reads. Default: none")),
  settings: settings("Anything for the program. Default: nothing"),
});

/** The schema of the options of a `program` source. */
export const programOptions = v.strictObject({
  command: v.pipe(
    v.array(v.string()),
    v.nonEmpty(),
    v.check(([program]) => program !== "", "the program has no name"),
    v.description(
      "The program and its arguments, without a shell. It runs in the folder of the workspace, where relative paths start",
    ),
    v.examples([["python3", "extract.py"]]),
  ),
  tables: v.optional(
    v.pipe(
      v.record(v.string(), tableOptions),
      v.description("The tables that the program must write, by name. Default: those that it writes"),
    ),
    {},
  ),
  settings: settings("Anything for the program. Default: nothing"),
  timeoutMinutes: minutes(60, "Maximum duration of the program. Default: 60"),
  noProgressMinutes: minutes(10, "Maximum time without output and without growth of its files. Default: 10"),
});

/** The checked options of a `program` source. */
export type ProgramOptions = v.InferOutput<typeof programOptions>;
