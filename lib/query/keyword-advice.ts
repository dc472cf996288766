import { quoteIdentifier, quoteLiteral, type Connection } from "../duckdb/mod.ts";

/**
 * Returns the hint for SQL that fails at a keyword that may be intended as a name; null if it fails elsewhere.
 *
 * @param reason the message of DuckDB
 */
export async function keywordAdvice(connection: Connection, reason: string): Promise<string | null> {
  const [, keyword] = /^syntax error at or near "([a-z_]+)"/i.exec(reason) ?? [];
  if (keyword === undefined) return null;
  const [found] = await connection.rows(
    `SELECT 1 FROM duckdb_keywords() WHERE keyword_category <> 'unreserved' AND keyword_name = ${quoteLiteral(keyword.toLowerCase())}`,
  );
  if (found === undefined) return null;
  return `Correct the SQL. ${keyword} is a keyword: as the name of a table or column it needs double quotes, ${quoteIdentifier(keyword)}.`;
}
