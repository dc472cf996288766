import * as v from "valibot";

/** The settings of a table that have a fixed set of values: the values, their schemas and their descriptions. */

export const queryModes = ["local", "remote", "materialized"] as const;

/** Where the rows of a table are. */
export type QueryMode = (typeof queryModes)[number];

export const queryMode = v.pipe(
  v.picklist(queryModes),
  v.description(
    "local: copied; remote: queried in the source; materialized: the result of a query is copied",
  ),
);

const strategies = ["full_refresh", "incremental", "partitioned"] as const;

/** How a sync updates a table. */
export type Strategy = (typeof strategies)[number];

export const syncStrategy = v.pipe(v.picklist(strategies), v.description("How a sync updates the table"));

const granularities = ["day", "month", "year"] as const;

/** The period of one partition. */
export type Granularity = (typeof granularities)[number];

/** The granularity of a partitioned table that sets none. */
export const defaultGranularity: Granularity = "month";

export const partitionGranularity = v.pipe(
  v.picklist(granularities),
  v.description(`Period of one partition; default: ${defaultGranularity}`),
);

const schemaPolicies = ["evolve", "freeze"] as const;

/** What a sync does when the columns of a table change. */
export type SchemaPolicy = (typeof schemaPolicies)[number];

export const schemaPolicy = v.pipe(
  v.picklist(schemaPolicies),
  v.description("evolve: adopt changed columns; freeze: fail the table if columns change"),
);

const invalidValueRules = ["fail", "null"] as const;

/** What a sync does with a value that does not fit its column. */
export type InvalidValues = (typeof invalidValueRules)[number];

export const invalidValues = v.pipe(
  v.picklist(invalidValueRules),
  v.description(
    "fail: a value that does not fit its column fails the table, or its row is quarantined; " +
      'null, as text ("null" in files): it becomes null and is counted',
  ),
);
