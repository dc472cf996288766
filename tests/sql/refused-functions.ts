/**
 * The functions of DuckDB that are refused on purpose: those that report about the server, wait, write, create types
 * that nothing can display, or run their arguments. `functions.test.ts` compares this list with DuckDB's own.
 *
 * Some of them crash the process or the instance: the JSON functions recurse into nested JSON without a limit, until the
 * stack overflows; `damerau_levenshtein` uses memory for every pair of characters that no limit counts (queries may
 * call it with a bound); `reservoir_quantile` and `enum_range_boundary` fail internally for an empty list and for
 * NULLs; `sum_no_overflow` is DuckDB's own and fails internally for any other type.
 */
export const refusedFunctions: ReadonlySet<string> = new Set(
  `agnes_row_sum col_description current_catalog current_connection_id current_database
  current_query current_query_id current_setting current_transaction_id
  currval damerau_levenshtein enum_range_boundary from_json from_json_strict get_block_size getvariable has_any_column_privilege
  has_column_privilege has_database_privilege has_foreign_data_wrapper_privilege has_function_privilege
  has_language_privilege has_schema_privilege has_sequence_privilege has_server_privilege has_table_privilege
  has_tablespace_privilege in_search_path inet_client_addr inet_client_port inet_server_addr inet_server_port
  json_contains json_deserialize_sql json_group_structure json_merge_patch json_serialize_plan
  json_serialize_sql json_structure json_transform json_transform_strict make_type nextval obj_description
  parse_duckdb_log_message pg_collation_is_visible pg_conf_load_time pg_conversion_is_visible
  pg_function_is_visible pg_get_constraintdef pg_get_expr pg_get_viewdef pg_has_role pg_is_other_temp_schema
  pg_my_temp_schema pg_opclass_is_visible pg_operator_is_visible pg_opfamily_is_visible
  pg_postmaster_start_time pg_sleep pg_table_is_visible pg_ts_config_is_visible pg_ts_dict_is_visible
  pg_ts_parser_is_visible pg_ts_template_is_visible pg_type_is_visible reservoir_quantile setseed shobj_description sleep_ms
  stats sum_no_overflow txid_current variant_bytes_to_variant variant_to_parquet_variant vector_type write_log`.split(
    /\s+/,
  ),
);
