import * as v from "valibot";

const patterns = (description: string) =>
  v.optional(v.pipe(v.array(v.pipe(v.string(), v.nonEmpty())), v.nonEmpty(), v.description(description)));

const identifier = (description: string) =>
  v.optional(
    v.pipe(
      v.union([v.pipe(v.string(), v.regex(/^\d+$/, "a number")), v.pipe(v.number(), v.safeInteger())]),
      v.transform(String),
      v.description(description),
    ),
  );

/** The schema of the options of a `keboola` source. */
export const keboolaOptions = v.strictObject({
  url: v.optional(
    v.pipe(
      v.string(),
      v.url(),
      v.description(
        "URL of the stack, such as https://connection.keboola.com. Default: the variable KEBOOLA_STACK_URL",
      ),
    ),
  ),
  projectId: identifier(
    "Id of the project that the token must belong to. Default: the variable KEBOOLA_PROJECT_ID, or not checked",
  ),
  branch: identifier(
    "Id of a development branch. Tables that it does not have are read from the default branch. Default: the default branch",
  ),
  buckets: v.optional(
    v.pipe(
      v.strictObject({
        include: patterns("Buckets to include, with * for any characters: in.c-crm, out.*. Default: all"),
        exclude: patterns("Buckets to exclude, after `include`. Default: none"),
      }),
      v.description("The buckets whose tables are listed"),
    ),
  ),
  changeMarginMinutes: v.optional(
    v.pipe(
      v.number(),
      v.minValue(0),
      v.description(
        "Minutes before the start of the last export from which an incremental sync reads changes again, for imports that ended later. Default: 60",
      ),
    ),
    60,
  ),
  remoteMaxBytes: v.optional(
    v.nullable(
      v.pipe(
        v.number(),
        v.safeInteger(),
        v.minValue(0),
        v.description(
          "Bytes up to which a query of a remote table may read all of it, or the rows of a LIMIT; a query with a condition that Keboola applies reads any number; null: any size. Default: 1 GiB",
        ),
      ),
    ),
    1024 ** 3,
  ),
  attach: v.optional(
    v.pipe(
      v.boolean(),
      v.description(
        "Read remote tables through the DuckDB extension keboola, if it is installed, where it returns the same rows. Default: false",
      ),
    ),
    false,
  ),
  write: v.optional(
    v.pipe(
      v.boolean(),
      v.description(
        "Allow `agnes push` to write rows, and `agnes metadata push` to write descriptions and types of columns, to the tables of the project. Default: false",
      ),
    ),
    false,
  ),
  allowPrivateAddress: v.optional(
    v.pipe(
      v.boolean(),
      v.description("Allow a stack with a private address, and plain HTTP. Default: false"),
    ),
    false,
  ),
});

/** The options of a `keboola` source. */
export type KeboolaOptions = v.InferOutput<typeof keboolaOptions>;

/** The settings of a source: its options, completed from the environment. */
export interface Settings extends Omit<KeboolaOptions, "url"> {
  /** Without a trailing slash. */
  readonly url: string;
}

/** The secrets of a `keboola` source. */
export const keboolaSecrets = {
  KEBOOLA_STORAGE_TOKEN: {
    description: "Storage API token, created in Keboola under Settings → API Tokens",
    required: true,
  },
} as const;
