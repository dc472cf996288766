import * as v from "valibot";

const text = (description: string) => v.optional(v.pipe(v.string(), v.description(description)));
const character = (description: string) =>
  v.optional(v.pipe(v.string(), v.maxLength(1, "one character at most"), v.description(description)));

const csv = v.strictObject({
  delimiter: v.optional(
    v.pipe(
      v.string(),
      v.minLength(1),
      v.maxLength(4),
      v.description("What separates the values. Default: detected among , ; tab and |; a tab for .tsv"),
    ),
  ),
  quote: character('What encloses a value; an empty text: nothing does. Default: "'),
  escape: character(
    "What escapes a quote inside a value. Default: the quote itself, or \\ where only that fits",
  ),
  header: v.optional(
    v.pipe(
      v.boolean(),
      v.description("Whether the first record holds the names. Default: true, unless `names` are given"),
    ),
  ),
  names: v.optional(v.pipe(v.array(v.string()), v.description("Column names, for files without a header"))),
  nullValues: v.optional(
    v.pipe(v.array(v.string()), v.description("Texts that stand for null. Default: the empty text")),
  ),
  dateFormat: text("How dates are written, such as %d.%m.%Y. Default: decided by all values of the column"),
  timestampFormat: text("How timestamps are written, such as %d.%m.%Y %H:%M. Default: decided by all values"),
  encoding: text("utf-8, utf-16, latin1, windows-1252 and others. Default: utf-8, or by byte order mark"),
  decimalSeparator: character("What stands before the fraction of a number. Default: ."),
  thousandsSeparator: character("What groups the digits of a number by threes. Default: nothing"),
  skipLines: v.optional(
    v.pipe(v.number(), v.integer(), v.minValue(0), v.description("Lines before the header. Default: 0")),
  ),
  comment: character("Lines that begin with this character are no rows. Default: none"),
  maxLineBytes: v.optional(
    v.pipe(
      v.number(),
      v.integer(),
      v.minValue(1),
      v.description("The longest record, in bytes. Default: 16777216 (16 MiB)"),
    ),
  ),
});

const format = v.picklist(["csv", "tsv", "ndjson", "json", "parquet"]);

const types = v.record(v.string(), v.string());

const table = v.strictObject({
  path: v.optional(
    v.pipe(
      v.string(),
      v.description(
        "The file, folder or glob that makes up this table. Default: what `path` above finds under this name",
      ),
    ),
  ),
  format: v.optional(v.pipe(format, v.description("The format, when the names of the files do not tell"))),
  csv: v.optional(v.pipe(csv, v.description("How these CSV files are written; replaces `csv` above"))),
  types: v.optional(v.pipe(types, v.description("DuckDB types by column, instead of those that are found"))),
  primaryKey: v.optional(v.pipe(v.array(v.string()), v.description("The columns that identify a row"))),
  description: v.optional(v.pipe(v.string(), v.description("What the table holds"))),
});

/** The options of a `files` source. */
export const filesOptions = v.pipe(
  v.strictObject({
    path: v.optional(
      v.pipe(v.string(), v.description("A file, a folder or a glob; relative paths start at the workspace")),
    ),
    format: v.optional(v.pipe(format, v.description("The format of files whose names do not tell"))),
    csv: v.optional(v.pipe(csv, v.description("How CSV files are written; what is left out is detected"))),
    fractions: v.optional(
      v.pipe(
        v.picklist(["decimal", "double"]),
        v.description("How numbers with a fraction are read: `decimal` (default) keeps them exact"),
      ),
    ),
    followLinks: v.optional(
      v.pipe(
        v.boolean(),
        v.description("Follow links that lead out of the folder of the source. Default: false"),
      ),
    ),
    hivePartitions: v.optional(
      v.pipe(v.boolean(), v.description("Make columns of folders named such as `year=2024`. Default: false")),
    ),
    maxDecompressedBytes: v.optional(
      v.pipe(
        v.number(),
        v.integer(),
        v.minValue(1),
        v.description("How many bytes a compressed file may decompress to. Default: 68719476736 (64 GiB)"),
      ),
    ),
    maxCompressionRatio: v.optional(
      v.pipe(
        v.number(),
        v.minValue(1),
        v.description("How many times its size a compressed file may decompress to. Default: 1000"),
      ),
    ),
    tables: v.optional(
      v.pipe(v.record(v.string(), table), v.description("What to know of single tables, by name")),
    ),
  }),
  v.check(
    (options) =>
      options.path !== undefined || Object.values(options.tables ?? {}).some((one) => one.path !== undefined),
    "`path` is missing: name a file, a folder or a glob",
  ),
);

export type FilesOptions = v.InferOutput<typeof filesOptions>;
export type TableSettings = v.InferOutput<typeof table>;
export type SourceFormat = v.InferOutput<typeof format>;
