import * as v from "valibot";

const text = (description: string) => v.optional(v.pipe(v.string(), v.description(description)));
const character = (description: string) =>
  v.optional(v.pipe(v.string(), v.maxLength(1, "at most one character"), v.description(description)));

const csv = v.strictObject({
  delimiter: v.optional(
    v.pipe(
      v.string(),
      v.minLength(1),
      v.maxLength(4),
      v.description("The delimiter. Default: detected among , ; tab and |; a tab for .tsv"),
    ),
  ),
  quote: character('The quote character; an empty text: values are never quoted. Default: "'),
  escape: character(
    "The character that escapes a quote inside a value. Default: the quote itself, or \\ if only that fits",
  ),
  header: v.optional(
    v.pipe(
      v.boolean(),
      v.description(
        "Whether the first record contains the column names. Default: true, unless `names` is set",
      ),
    ),
  ),
  names: v.optional(v.pipe(v.array(v.string()), v.description("Column names, for files without a header"))),
  nullValues: v.optional(
    v.pipe(v.array(v.string()), v.description("Texts that mean null. Default: the empty text")),
  ),
  dateFormat: text("The format of dates, such as %d.%m.%Y. Default: detected from all values of the column"),
  timestampFormat: text(
    "The format of timestamps, such as %d.%m.%Y %H:%M. Default: detected from all values of the column",
  ),
  encoding: text("utf-8, utf-16, latin1, windows-1252 and others. Default: by byte order mark, or utf-8"),
  decimalSeparator: character("The decimal separator of numbers. Default: ."),
  thousandsSeparator: character("The thousands separator of numbers. Default: none"),
  skipLines: v.optional(
    v.pipe(
      v.number(),
      v.integer(),
      v.minValue(0),
      v.description("Number of lines to skip before the header. Default: 0"),
    ),
  ),
  comment: character("Lines that begin with this character are ignored. Default: none"),
  maxLineBytes: v.optional(
    v.pipe(
      v.number(),
      v.integer(),
      v.minValue(1),
      v.description("Maximum size of a record, in bytes. Default: 16777216 (16 MiB)"),
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
        "The file, folder or glob of this table. Default: the files below the `path` of the source with this name",
      ),
    ),
  ),
  format: v.optional(v.pipe(format, v.description("The format of files without a known extension"))),
  csv: v.optional(
    v.pipe(csv, v.description("The CSV options of this table; they replace the `csv` of the source")),
  ),
  types: v.optional(v.pipe(types, v.description("DuckDB types by column, instead of the detected ones"))),
  primaryKey: v.optional(v.pipe(v.array(v.string()), v.description("The columns that identify a row"))),
  description: v.optional(v.pipe(v.string(), v.description("A description of the table"))),
});

/** The options of a `files` source. */
export const filesOptions = v.pipe(
  v.strictObject({
    path: v.optional(
      v.pipe(
        v.string(),
        v.description("A file, a folder or a glob; relative paths are resolved from the workspace"),
      ),
    ),
    format: v.optional(v.pipe(format, v.description("The format of files without a known extension"))),
    csv: v.optional(v.pipe(csv, v.description("The CSV options; omitted ones are detected"))),
    fractions: v.optional(
      v.pipe(
        v.picklist(["decimal", "double"]),
        v.description("The type of numbers with a fraction: `decimal` keeps them exact. Default: decimal"),
      ),
    ),
    followLinks: v.optional(
      v.pipe(
        v.boolean(),
        v.description("Follow links to targets outside the folder of the source. Default: false"),
      ),
    ),
    hivePartitions: v.optional(
      v.pipe(
        v.boolean(),
        v.description("Create partition columns from folders such as `year=2024`. Default: false"),
      ),
    ),
    maxDecompressedBytes: v.optional(
      v.pipe(
        v.number(),
        v.integer(),
        v.minValue(1),
        v.description("Maximum decompressed size of a file, in bytes. Default: 68719476736 (64 GiB)"),
      ),
    ),
    maxCompressionRatio: v.optional(
      v.pipe(
        v.number(),
        v.minValue(1),
        v.description("Maximum ratio of decompressed to compressed size of a file. Default: 1000"),
      ),
    ),
    tables: v.optional(
      v.pipe(v.record(v.string(), table), v.description("Settings of single tables, by name")),
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
