/** Columns whose values are grouped and ordered. */
const KEYS = ["country", "amount", "price", "number", "small", "is_open", "day", "sold_at", "local_at"];
const AGGREGATES = [
  "count(*)",
  "count(country)",
  "count(ratio)",
  "count(DISTINCT day)",
  "sum(number)",
  "sum(DISTINCT small)",
  "sum(amount)",
  "sum(CASE WHEN is_open THEN small ELSE 0 END)",
  "min(country)",
  "max(day)",
  "max(sold_at)",
  "min(local_at)",
  "max(price)",
  "sum(price) FILTER (WHERE small > 0)",
];
const CONDITIONS = [
  "small > 1",
  "small <> id",
  "small + id < 30",
  "id - small >= 3",
  "country = 'ann'",
  "country >= 'a'",
  "country IN ('čapek', '', 'x')",
  "country NOT IN ('ann', 'Z')",
  "amount BETWEEN -0.01 AND 10.00",
  "amount <= 9999999999.99",
  "price IS NULL",
  "is_open",
  "is_open = false",
  "day < '2026-01-31'",
  "day IS NOT NULL",
  "number = -1",
  "number IN (7, 0, NULL)",
  "coalesce(small, -1) = -1",
  "CASE WHEN is_open THEN small > 1 ELSE country < 'b' END",
  "local_at > TIMESTAMP '2026-01-01 00:00:02'",
  "ratio IS NULL",
];

/** Returns statements of listed parts, the same for the same seed. */
export function randomStatements(seed: number, count: number): readonly string[] {
  const random = generator(seed);
  const below = (size: number) => Math.floor(random() * size);
  const pick = <T>(values: readonly T[]): T => values[below(values.length)]!;
  const some = (values: readonly string[], least: number, most: number): readonly string[] => {
    const found = new Set<string>();
    const size = least + below(most - least + 1);
    while (found.size < size) found.add(pick(values));
    return [...found];
  };
  const condition = (depth: number): string => {
    const kind = depth === 0 ? 0 : below(4);
    if (kind === 0) return pick(CONDITIONS);
    if (kind === 1) return `NOT (${condition(depth - 1)})`;
    return `(${condition(depth - 1)} ${kind === 2 ? "AND" : "OR"} ${condition(depth - 1)})`;
  };
  const where = () => (below(3) === 0 ? "" : ` WHERE ${condition(3)}`);
  const order = (columns: number) =>
    ` ORDER BY ${Array.from({ length: columns }, (_, at) => `${at + 1} ${pick(["", "ASC", "DESC"])} ${pick(["", "NULLS FIRST", "NULLS LAST"])}`).join(", ")}`;
  const limit = () =>
    below(2) === 0 ? "" : ` LIMIT ${below(12)}${below(3) === 0 ? ` OFFSET ${below(5)}` : ""}`;
  const from = () =>
    pick(["r.sales", "r.sales", "r.nothing", `(SELECT * FROM r.sales WHERE ${condition(1)}) AS inner_sales`]);
  const statement = (): string => {
    switch (below(4)) {
      case 0: {
        const keys = some(KEYS, 1, 3);
        const having = below(3) === 0 ? ` HAVING count(*) > ${below(4)}` : "";
        const list = [...keys, ...some(AGGREGATES, 1, 3)];
        return `SELECT ${list.join(", ")} FROM ${from()}${where()} GROUP BY ${keys.join(", ")}${having}${order(list.length)}${limit()}`;
      }
      case 1: {
        return `SELECT ${some(AGGREGATES, 1, 4).join(", ")} FROM ${from()}${where()}`;
      }
      case 2: {
        const keys = some(KEYS, 1, 3);
        return `SELECT DISTINCT ${keys.join(", ")} FROM ${from()}${where()}${order(keys.length)}${limit()}`;
      }
      default: {
        const join = pick(["JOIN", "LEFT JOIN"]);
        const on = pick([
          "s.country = c.code",
          "c.small = s.small",
          "s.country = c.code AND c.small > s.small",
        ]);
        return `SELECT s.id, s.${pick(KEYS)}, c.continent, c.code FROM r.sales s ${join} r.countries c ON ${on}${order(4)}${limit()}`;
      }
    }
  };
  return Array.from({ length: count }, statement);
}

/** Numbers from 0 to 1 that depend on the seed (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
