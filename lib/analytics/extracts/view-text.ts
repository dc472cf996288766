/** Returns the SELECT of a `CREATE VIEW`; null for other SQL. */
export function selectOf(sql: string): string | null {
  const name = `(?:"(?:[^"]|"")*"|[\\p{L}\\p{N}_$]+)`;
  const pattern = new RegExp(
    `^CREATE VIEW ${name}(?:\\.${name})*\\s*(\\(${name}(?:,\\s*${name})*\\))?\\s*AS\\s+`,
    "u",
  );
  const [head, columns] = pattern.exec(sql) ?? [];
  if (head === undefined) return null;
  const select = sql.slice(head.length).trimEnd().replace(/;$/, "");
  return columns === undefined ? select : `SELECT * FROM (${select}) AS v${columns}`;
}

/** Whether a type is valid SQL after a column name, so that no text of an extract becomes another statement. */
export function isTypeText(type: string): boolean {
  const bare = type.replace(QUOTED, "x");
  if (!/^[A-Za-z0-9_ ,()[\]]+$/.test(bare)) return false;
  let depth = 0;
  for (const character of bare) {
    if (character === "(") depth += 1;
    else if (character === ")") depth -= 1;
    if (depth < 0 || (character === "," && depth === 0)) return false;
  }
  return depth === 0;
}

const QUOTED = /"(?:[^"\0]|"")+"|'(?:[^'\0]|'')*'/g;
