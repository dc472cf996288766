import { isAgnesError } from "../base/mod.ts";
import { parseSql, renderSql } from "../sql/mod.ts";
import { quoteIdentifier, type Connection } from "../duckdb/mod.ts";
import { markPivots, type MarkedSql } from "./pivot-text.ts";
import { refuse } from "./refuse.ts";

/** An enumeration type with the values of a PIVOT. */
export interface PivotType {
  readonly name: string;
  /** DuckDB's tree of the SELECT of its values, in the order of the columns. */
  readonly tree: unknown;
  /** That SELECT as entered; null if it was generated. */
  readonly sql: string | null;
}

type Node = Record<string, unknown>;

interface PivotColumn {
  readonly pivot_expressions: readonly unknown[];
  readonly pivot_enum: string;
}

/**
 * Returns the types of all marks, each after those that it depends on.
 *
 * @param known the types of subqueries
 * @throws `sql_not_allowed` if a mark is not at the place of values of a PIVOT
 */
export async function pivotTypes(
  connection: Connection,
  tree: unknown,
  { marks }: MarkedSql,
  known: readonly PivotType[],
): Promise<readonly PivotType[]> {
  const names = new Set(marks.map(({ name }) => name));
  const found = new Map<string, PivotType>();
  const used = new Set<string>();
  const todo: { readonly value: unknown; readonly maps: readonly unknown[] }[] = [{ value: tree, maps: [] }];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { value } = next;
    if (value === null || typeof value !== "object") continue;
    const node = value as Node;
    const own = (node["cte_map"] as { readonly map: readonly unknown[] } | undefined)?.map ?? [];
    // A common table expression can use those before it.
    for (const [at, expression] of own.entries()) {
      todo.push({ value: expression, maps: [...next.maps, ...own.slice(0, at)] });
    }
    const maps = [...next.maps, ...own];
    if (node["type"] === "PIVOT") {
      for (const column of node["pivots"] as readonly PivotColumn[]) {
        const name = column.pivot_enum;
        if (!names.has(name)) continue;
        used.add(name);
        if (known.some((type) => type.name === name)) continue;
        found.set(name, {
          name,
          tree: await valuesSelect(connection, column, node["source"], maps),
          sql: null,
        });
      }
    }
    for (const [key, child] of Object.entries(node)) {
      if (key !== "cte_map") todo.push({ value: child, maps });
    }
  }
  if (used.size < names.size) {
    refuse("the values of its PIVOT cannot be determined", "List them: PIVOT table ON column IN ('a', 'b').");
  }
  return [...known, ...inOrder([...found.values()])];
}

/** Sorts types: the source of a PIVOT may be another PIVOT, whose columns must be known first. */
function inOrder(types: readonly PivotType[]): readonly PivotType[] {
  const needs = new Map(types.map((type) => [type, namesIn(type.tree)]));
  const ordered: PivotType[] = [];
  while (ordered.length < types.length) {
    const waiting = types.filter((type) => !ordered.includes(type));
    const ready = waiting.filter((type) => !waiting.some(({ name }) => needs.get(type)!.has(name)));
    if (ready.length === 0) throw new Error("the PIVOTs of a query depend on each other");
    ordered.push(...ready);
  }
  return ordered;
}

function namesIn(tree: unknown): ReadonlySet<string> {
  const names = new Set<string>();
  const todo = [tree];
  while (todo.length > 0) {
    const value = todo.pop();
    if (value === null || typeof value !== "object") continue;
    const name = (value as Node)["pivot_enum"];
    if (typeof name === "string") names.add(name);
    for (const child of Object.values(value)) todo.push(child);
  }
  return names;
}

/** Returns the names of all common table expressions of a tree, in lower case. */
export function expressionNames(tree: unknown): ReadonlySet<string> {
  const names = new Set<string>();
  const todo = [tree];
  while (todo.length > 0) {
    const value = todo.pop();
    if (value === null || typeof value !== "object") continue;
    const map = (value as { cte_map?: { map: readonly { key: string }[] } }).cte_map?.map ?? [];
    for (const { key } of map) names.add(key.toLowerCase());
    for (const child of Object.values(value)) todo.push(child);
  }
  return names;
}

/** Returns the SELECT of the values as DuckDB generates it: as sorted strings, without NULL. */
async function valuesSelect(
  connection: Connection,
  { pivot_expressions }: PivotColumn,
  source: unknown,
  maps: readonly unknown[],
): Promise<unknown> {
  const parsed = await parseSql(connection, VALUES_SELECT);
  if (parsed.kind !== "select") throw new Error(`DuckDB cannot parse ${VALUES_SELECT}`);
  const text = JSON.stringify(parsed.tree, (_key, value: unknown) => {
    const node = value as Node | null;
    if (node?.["class"] === "COLUMN_REF" && String(node["column_names"]) === "pivoted")
      return pivot_expressions[0];
    if (node?.["type"] === "BASE_TABLE" && node["table_name"] === "pivoted") return source;
    return value;
  });
  const tree = JSON.parse(text) as { readonly statements: readonly [{ readonly node: Node }] };
  tree.statements[0].node["cte_map"] = { map: maps };
  return tree;
}

const VALUES_SELECT =
  "SELECT DISTINCT CAST(pivoted AS VARCHAR) AS v FROM pivoted WHERE CAST(pivoted AS VARCHAR) IS NOT NULL ORDER BY v";

/**
 * Creates the types on the connection of the query. The values stay in DuckDB and never become part of SQL.
 *
 * @param whole the SQL that runs afterwards
 * @param rewritten replaces the listings of a tree, see `withListings`; null if there are none
 */
export async function makePivotTypes(
  connection: Connection,
  types: readonly PivotType[],
  whole: string,
  options: {
    readonly signal: AbortSignal;
    readonly rewritten: ((tree: unknown) => Promise<unknown>) | null;
  },
): Promise<void> {
  const { signal, rewritten } = options;
  for (const [at, { name, tree, sql }] of types.entries()) {
    const isTyped = rewritten === null && sql !== null;
    const select = isTyped
      ? sql
      : await renderSql(connection, rewritten === null ? tree : await rewritten(tree));
    try {
      await connection.run(createType(name, `${select}\n`), { signal });
    } catch (error) {
      if (isTyped || signal.aborted) throw error;
      throw await sameFailure(connection, types.slice(at), whole, { error, signal });
    }
    await refuseNames(connection, name, signal);
  }
}

/** DuckDB copies column names many times during planning; with 10,000 columns, long names would take gigabytes. */
const NAME_BYTES_MAX = 1_000;

/** Rejects values that cannot be column names. */
async function refuseNames(connection: Connection, type: string, signal: AbortSignal): Promise<void> {
  // DuckDB's clients truncate names at a null character, so columns could become indistinguishable.
  const [found] = await connection.rows<{ is_long: boolean | null; has_null: boolean | null }>(
    `SELECT bool_or(strlen(v) > ${NAME_BYTES_MAX}) AS is_long, bool_or(contains(v, chr(0))) AS has_null
     FROM (SELECT unnest(enum_range(NULL::${quoteIdentifier(type)}))::VARCHAR AS v)`,
    { signal },
  );
  if (found?.is_long === true) {
    refuse(
      "a value of its PIVOT has more than 1,000 bytes, which is too long for a column name",
      "Shorten the values: PIVOT (SELECT left(column, 100) AS column, … FROM table) ON column.",
    );
  }
  if (found?.has_null !== true) return;
  refuse(
    "a value of its PIVOT contains a null character, which is not allowed in a column name",
    "Remove it from the values: PIVOT (SELECT replace(column, chr(0), '') AS column, … FROM table) ON column.",
  );
}

function createType(name: string, values: string): string {
  return `CREATE TEMP TYPE ${quoteIdentifier(name)} AS ENUM (${values})`;
}

/**
 * Reproduces the failure of a generated SELECT with the query or subquery as entered, so that DuckDB reports its place
 * there. Returns the first failure if the second one differs.
 */
async function sameFailure(
  connection: Connection,
  types: readonly PivotType[],
  whole: string,
  { error, signal }: { readonly error: unknown; readonly signal: AbortSignal },
): Promise<unknown> {
  if (!isAgnesError(error, "duckdb_failed") || /^(?:INTERNAL|FATAL) Error$/.test(error.details.kind))
    return error;
  const mark = quoteIdentifier(types[0]!.name);
  const holder = types.find(({ sql }) => sql?.includes(mark) === true)?.sql ?? whole;
  try {
    for (const { name } of types) await connection.run(createType(name, "'x'"), { signal });
    const result = await connection.stream(holder, { signal });
    for await (const batch of result.batches) void batch;
    return error;
  } catch (again) {
    return isAgnesError(again, "duckdb_failed") && again.details.reason === error.details.reason
      ? again
      : error;
  }
}

/**
 * Converts an index of an executed statement to an index of the SQL with PIVOTs that it was generated from. Returns null
 * if the place is not in the SQL as entered, undefined if the statement was not generated from it.
 */
export function pivotIndex(
  sql: string,
  ran: string,
  index: number,
  prefix?: string,
): number | null | undefined {
  const marked = markPivots(sql, prefix);
  if (marked === null) return undefined;
  const whole = ran.indexOf(marked.sql);
  if (whole !== -1) return index < whole ? null : marked.typedIndex(index - whole);
  for (const { name, subquery } of marked.marks) {
    if (subquery === null) continue;
    const inner = pivotIndex(subquery.sql, ran, index, `${name}.`);
    if (inner !== undefined) return inner === null ? null : subquery.start + inner;
    const head = createType(name, subquery.sql).slice(0, -1);
    if (ran.startsWith(head)) {
      const at = index - (head.length - subquery.sql.length);
      return at < 0 || at > subquery.sql.length ? null : subquery.start + at;
    }
  }
  return undefined;
}
