/** The reason why a function is rejected, and a remedy. */
export interface Refusal {
  readonly reason: string;
  readonly advice: string;
}

const OURS = "it returns the name of an internal database";
const ONE_DATABASE = "Refer to tables as `table` or `source.table`; there is only one database.";

const DEEP_JSON = "it crashes on deeply nested JSON";

const refusals: Readonly<Record<string, Refusal>> = {
  from_json: { reason: DEEP_JSON, advice: fields("json_extract_string(value, '$.field')::INTEGER") },
  from_json_strict: { reason: DEEP_JSON, advice: fields("json_extract_string(value, '$.field')::INTEGER") },
  json_transform: { reason: DEEP_JSON, advice: fields("json_extract_string(value, '$.field')::INTEGER") },
  json_transform_strict: {
    reason: DEEP_JSON,
    advice: fields("json_extract_string(value, '$.field')::INTEGER"),
  },
  json_structure: {
    reason: DEEP_JSON,
    advice: "Use json_keys(value), json_type(value, '$.field') or FROM json_tree(value).",
  },
  json_group_structure: {
    reason: DEEP_JSON,
    advice: "Use SELECT DISTINCT unnest(json_keys(value)), and json_type(value, '$.field') for the types.",
  },
  json_contains: {
    reason: DEEP_JSON,
    advice:
      "Use json_exists(value, '$.field'), json_extract(value, '$.field') = '1', or list_contains(json_extract_string(value, '$[*]'), 'x').",
  },
  json_merge_patch: {
    reason: DEEP_JSON,
    advice: "Build the object from its fields: json_object('field', json_extract(value, '$.field'), …).",
  },
  enum_range_boundary: {
    reason: "it causes an internal error in DuckDB",
    advice: "Use list_slice on enum_range(value).",
  },
  reservoir_quantile: {
    reason: "it causes an internal error in DuckDB",
    advice: "Use approx_quantile(value, 0.5) or quantile_cont(value, 0.5).",
  },
  current_catalog: { reason: OURS, advice: ONE_DATABASE },
  current_database: { reason: OURS, advice: ONE_DATABASE },
  sum_no_overflow: { reason: "it causes an internal error in DuckDB", advice: "Use sum(value)." },
};

function fields(example: string): string {
  return `Extract each field, for example with ${example}, or list the values with FROM json_each(value).`;
}

/** Returns the refusal of a function that is known to fail; null for others. */
export function refusalOfFunction(name: string): Refusal | null {
  const folded = name.toLowerCase();
  return Object.hasOwn(refusals, folded) ? refusals[folded]! : null;
}
