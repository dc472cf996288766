import * as v from "valibot";

const GIBIBYTE = 1024 ** 3;

const described = <const S extends v.GenericSchema>(schema: S, description: string) =>
  v.optional(v.pipe(schema, v.description(description)));

const patterns = (description: string) =>
  described(v.pipe(v.array(v.pipe(v.string(), v.nonEmpty())), v.nonEmpty()), description);

const project = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9.:-]*[a-z0-9]$/, "the id of a project"));

/** The schema of the options of a `bigquery` source. */
export const bigqueryOptions = v.strictObject({
  project: described(
    project,
    "Id of the project whose tables are read. Default: the variable BIGQUERY_PROJECT",
  ),
  billingProject: described(project, "Id of the project that runs and pays the queries. Default: `project`"),
  project_id: described(project, "Earlier spelling of `project`; a conflict is an error"),
  billing_project: described(project, "Earlier spelling of `billingProject`; a conflict is an error"),
  location: described(
    v.pipe(v.string(), v.regex(/^[A-Za-z0-9-]+$/, "a location such as EU or us-central1")),
    "Location of queries in SQL, such as EU or europe-west3. Reads of a table always run in its own location. Default: the location of the tables in the query",
  ),
  datasets: described(
    v.strictObject({
      include: patterns("Datasets to include, with * for any characters: sales, raw_*. Default: all"),
      exclude: patterns("Datasets to exclude, after `include`. Default: none"),
    }),
    "The datasets whose tables are listed",
  ),
  tables: described(
    v.array(
      v.pipe(
        v.string(),
        v.regex(
          /^[a-z][a-z0-9.:-]*[a-z0-9](\.[^.]+){2}$/,
          "project.dataset.table, such as other-1.sales.orders",
        ),
      ),
    ),
    "Further tables to list, as project.dataset.table: those of other projects and datasets, and single tables by date. Default: none",
  ),
  maxBytesPerQuery: v.optional(
    v.pipe(
      v.number(),
      v.safeInteger(),
      v.minValue(1),
      v.description(
        "Bytes that one query or read may bill. A dry run estimates them first, and BigQuery also stops at this limit. Default: 5 GiB",
      ),
    ),
    5 * GIBIBYTE,
  ),
  maxBytesPerMaterialize: v.optional(
    v.pipe(
      v.number(),
      v.safeInteger(),
      v.minValue(1),
      v.description("The same for the query of a materialized table. Default: 10 GiB"),
    ),
    10 * GIBIBYTE,
  ),
  dailyBytes: described(
    v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
    "Bytes that jobs with the label workload_type=agnes of this account may bill in `billingProject` per day, in UTC: those of each user of `agnes serve` (label agnes_user), and all jobs without a user together. Needs the role BigQuery User, to list the jobs. Default: no limit",
  ),
  allowUnknownEstimates: v.optional(
    v.pipe(
      v.boolean(),
      v.description(
        "Also run queries whose bytes a dry run does not estimate, such as those of tables with a row access policy. Only BigQuery then stops them at the limit. Default: false",
      ),
    ),
    false,
  ),
  price: described(
    v.strictObject({
      perTebibyte: v.pipe(v.number(), v.minValue(0), v.description("Price of a TiB billed, such as 6.25")),
      currency: v.pipe(
        v.string(),
        v.regex(/^[A-Z]{3}$/, "an ISO 4217 code such as USD"),
        v.description("Its currency, such as USD"),
      ),
    }),
    "The price of queries, for estimates. Default: prices are unknown",
  ),
  labels: described(
    v.record(v.string(), v.string()),
    "Labels of the jobs, besides workload_type and agnes_user. Characters that BigQuery does not accept are replaced, and labels beyond 64 are left out. Default: none",
  ),
  driveScope: v.optional(
    v.pipe(
      v.boolean(),
      v.description(
        "Also request access to Google Drive, for external tables over spreadsheets. Default: false",
      ),
    ),
    false,
  ),
  universeDomain: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^[a-z0-9.-]+$/, "a domain"),
      v.description("Domain of the cloud. Default: googleapis.com"),
    ),
    "googleapis.com",
  ),
  storageRead: v.optional(
    v.pipe(
      v.boolean(),
      v.description(
        "Read large tables by the Storage Read API, which is faster than a query job and billed at another price. Default: true",
      ),
    ),
    true,
  ),
  storageEndpoint: described(
    v.pipe(v.string(), v.url()),
    "URL of the Storage Read API, such as a private endpoint or an emulator. Default: https://bigquerystorage.googleapis.com; with `apiEndpoint` none, so that query jobs read all tables",
  ),
  attach: v.optional(
    v.pipe(
      v.boolean(),
      v.description(
        "Read remote tables through the DuckDB extension bigquery, if it is installed, where it returns the same rows. Its queries have no limit of bytes. Default: false",
      ),
    ),
    false,
  ),
  apiEndpoint: described(
    v.pipe(v.string(), v.url()),
    "URL of the service, such as a private endpoint or an emulator. With http, which only a loopback address may have, requests are sent without a token. Default: https://bigquery.googleapis.com",
  ),
});

/** The options of a `bigquery` source. */
export type BigQueryOptions = v.InferOutput<typeof bigqueryOptions>;

/** The secrets of a `bigquery` source. */
export const bigquerySecrets = {
  BIGQUERY_SERVICE_ACCOUNT_JSON: {
    description:
      "Key of a service account as JSON. Default: the file in GOOGLE_APPLICATION_CREDENTIALS, that of `gcloud auth application-default login`, or the metadata server",
    kind: "service_account",
  },
} as const;
