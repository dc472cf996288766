import { quoteIdentifier, quoteLiteral, type Connection } from "../duckdb/mod.ts";

/**
 * The advice for SQL that fails at a keyword, which may be meant as a name; null when it fails at something else.
 *
 * @param reason what DuckDB says of it
 */
export async function keywordAdvice(connection: Connection, reason: string): Promise<string | null> {
  const [, word] = /^syntax error at or near "([a-z_]+)"/i.exec(reason) ?? [];
  if (word === undefined) return null;
  const [found] = await connection.rows(
    `SELECT 1 FROM duckdb_keywords() WHERE keyword_category <> 'unreserved' AND keyword_name = ${quoteLiteral(word.toLowerCase())}`,
  );
  if (found === undefined) return null;
  return `Correct the SQL. ${word} is a keyword: as the name of a table or column it needs double quotes, ${quoteIdentifier(word)}.`;
}
