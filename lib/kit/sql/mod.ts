export { quoteIdentifier, quoteLiteral } from "./dialect.ts";
export type { SqlDialect } from "./dialect.ts";
export { filterToSql, toSelectSql } from "./filter.ts";
