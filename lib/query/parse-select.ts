import { AgnesError, type SqlPlace } from "../base/mod.ts";
import { parseSql, type FunctionUse, type SelectFacts, type TableUse } from "../sql/mod.ts";
import { changedSpace, tokensOf, type Connection } from "../duckdb/mod.ts";
import { explained } from "./explain.ts";
import { pivotTypes, expressionNames, type PivotType } from "./pivot.ts";
import { keywordAdvice } from "./keyword-advice.ts";
import { parseRefusal } from "./pivot-refusals.ts";
import { markPivots } from "./pivot-text.ts";
import { indexOfByte, indexOfCharacter, placeAt } from "./place.ts";
import { refuse } from "./refuse.ts";
import { checkSize } from "./size.ts";
import { withoutSettings } from "./without-settings.ts";

/** A parsed SELECT. */
export interface ParsedSelect {
  /** The SELECT, without EXPLAIN, and with the names of types instead of the values of `pivots`. */
  readonly sql: string;
  /** DuckDB's parse tree. */
  readonly tree: unknown;
  readonly facts: PlacedFacts;
  /** The types to create first for PIVOTs without listed values; a type may depend on those before it. */
  readonly pivots: readonly PivotType[];
  /** Whether the statement is EXPLAIN. */
  readonly isExplained: boolean;
}

/** The tables and functions of a SELECT, with their places in the SQL as entered. */
export interface PlacedFacts extends SelectFacts {
  readonly tables: readonly PlacedTable[];
  readonly tableFunctions: readonly Placed<FunctionUse>[];
  readonly functions: readonly Placed<FunctionUse>[];
  /** Returns the place of a token that occurs exactly once. */
  readonly placeOfToken: (token: RegExp) => SqlPlace | undefined;
}

export type Placed<T> = T & { readonly place?: SqlPlace | undefined };

export type PlacedTable = Placed<TableUse> & {
  /** Whether it has the name of a common table expression that is not visible at this place. */
  readonly isOutOfScope?: boolean;
};

/** The SQL as entered, and where its parts are in it. */
export interface Entered extends Omit<Part, "sql"> {
  readonly typed: string;
}

/** A part of the SQL that is parsed separately, or all of it. */
interface Part {
  readonly sql: string;
  /** Converts an index of this part to an index of the SQL as entered. */
  readonly typedIndex: (index: number) => number | null;
}

/**
 * Parses SQL that must be exactly one SELECT; tables and functions are not checked.
 * @param entered the SQL as entered, for places in errors. Default: `sql`
 * @throws `sql_malformed`, `sql_not_allowed`, `sql_too_long`
 */
export async function parseSelect(
  connection: Connection,
  sql: string,
  { typed, typedIndex }: Entered = { typed: sql, typedIndex: (index) => index },
): Promise<ParsedSelect> {
  checkSize(sql);
  // DuckDB would treat it as the end of the SQL and ignore the rest.
  if (sql.includes("\0"))
    throw new AgnesError("sql_malformed", { reason: "it contains a null character", position: null });
  if (/\p{Surrogate}/u.test(sql)) {
    const reason = "it contains half of a surrogate pair, which is not Unicode text";
    throw new AgnesError("sql_malformed", { reason, position: null });
  }
  return parsePart(connection, typed, { sql, typedIndex });
}

async function parsePart(
  connection: Connection,
  typed: string,
  part: Part,
  prefix?: string,
): Promise<ParsedSelect> {
  const { sql } = part;
  const space = changedSpace(sql);
  if (space !== null) refuse(space.reason, space.advice, placeOf(typed, part, space.index));
  const parsed = await parseSql(connection, sql);
  switch (parsed.kind) {
    case "select":
      return {
        sql,
        tree: parsed.tree,
        facts: placedFacts(parsed.facts, typed, part),
        pivots: [],
        isExplained: false,
      };
    case "malformed":
      throw malformed(typed, part, parsed, await keywordAdvice(connection, parsed.reason));
    case "statements": {
      if (parsed.count === 0)
        throw new AgnesError("sql_malformed", { reason: "it contains no statement", position: null });
      const advice = "Send one SELECT at a time.";
      return refuse(
        `it contains ${parsed.count} statements`,
        advice,
        placeOf(typed, part, secondStatement(sql)),
      );
    }
    case "other":
      return (
        (await parsePivot(connection, typed, part, prefix)) ??
        (await parseExplained(connection, typed, part)) ??
        refuse("it is not a SELECT", adviceFor(sql), placeOf(typed, part, tokensOf(sql)[0]?.start ?? 0))
      );
  }
}

/** Parses a PIVOT without listed values, which DuckDB's parser turns into several statements. */
async function parsePivot(
  connection: Connection,
  typed: string,
  part: Part,
  prefix?: string,
): Promise<ParsedSelect | null> {
  const marked = markPivots(part.sql, prefix);
  if (marked === null) return null;
  const parsed = await parseSql(connection, marked.sql);
  if (parsed.kind !== "select") return null;
  const inMarked: Part = { sql: marked.sql, typedIndex: compose(marked.typedIndex, part.typedIndex) };
  let facts = placedFacts(parsed.facts, typed, inMarked);
  const types: PivotType[] = [];
  for (const { name, subquery } of marked.marks) {
    if (subquery === null) continue;
    const inside: Part = {
      sql: subquery.sql,
      typedIndex: (index) => part.typedIndex(subquery.start + index),
    };
    const select = await parsePart(connection, typed, inside, `${name}.`);
    if (select.isExplained)
      refuse("it contains an EXPLAIN in a subquery", "Write EXPLAIN before the whole query.");
    types.push(...select.pivots, { name, tree: select.tree, sql: select.sql });
    facts = joined(facts, select.facts, expressionNames(parsed.tree));
  }
  const pivots = await pivotTypes(connection, parsed.tree, marked, types);
  return { sql: marked.sql, tree: parsed.tree, facts, pivots, isExplained: false };
}

/** Parses the SELECT of an EXPLAIN, because DuckDB's parser returns no tree for EXPLAIN. */
async function parseExplained(
  connection: Connection,
  typed: string,
  part: Part,
): Promise<ParsedSelect | null> {
  const sql = explained(part.sql);
  return sql === null
    ? null
    : { ...(await parsePart(connection, typed, { ...part, sql })), isExplained: true };
}

/** Merges the facts of a query and of a subquery that was parsed separately and cannot use its common table expressions. */
function joined(facts: PlacedFacts, inner: PlacedFacts, expressions: ReadonlySet<string>): PlacedFacts {
  const { variant } = facts;
  const hidden = inner.tables.map((use) => {
    const isOutOfScope = use.schema === "" && expressions.has(use.name.toLowerCase());
    return isOutOfScope ? withPlace({ ...use, isOutOfScope }, () => use.place) : use;
  });
  return {
    ...facts,
    tables: [...facts.tables, ...hidden],
    tableFunctions: [...facts.tableFunctions, ...inner.tableFunctions],
    functions: [...facts.functions, ...inner.functions],
    unusual: [...facts.unusual, ...inner.unusual],
    namesDatabase: facts.namesDatabase || inner.namesDatabase,
    variant: {
      named: variant.named + inner.variant.named,
      json: variant.json || inner.variant.json,
      repeats: variant.repeats || inner.variant.repeats,
    },
  };
}

function placedFacts(facts: SelectFacts, typed: string, part: Part): PlacedFacts {
  const placed = <T extends { readonly position: number | null }>(use: T) =>
    withPlace(use, () => {
      const { position } = use;
      return position === null ? undefined : placeOf(typed, part, indexOfByte(part.sql, position));
    });
  return {
    ...facts,
    tables: facts.tables.map(placed),
    tableFunctions: facts.tableFunctions.map(placed),
    functions: facts.functions.map(placed),
    placeOfToken: (token) => {
      const found = tokensOf(typed).filter(({ text }) => token.test(text));
      return found.length === 1 ? placeAt(typed, found[0]!.start) : undefined;
    },
  };
}

/** Adds a place that is computed on first use, because only errors need it. */
function withPlace<T extends object>(use: T, place: () => SqlPlace | undefined): Placed<T> {
  return Object.defineProperty({ ...use }, "place", { get: place }) as Placed<T>;
}

function placeOf(typed: string, { typedIndex }: Part, index: number): SqlPlace | undefined {
  const at = typedIndex(index);
  return at === null ? undefined : placeAt(typed, at);
}

function compose(
  first: (index: number) => number | null,
  second: (index: number) => number | null,
): (index: number) => number | null {
  return (index) => {
    const between = first(index);
    return between === null ? null : second(between);
  };
}

function malformed(
  typed: string,
  part: Part,
  { reason, position }: { readonly reason: string; readonly position: number | null },
  advice: string | null,
): AgnesError {
  const { sql } = part;
  const at = position === null ? null : indexOfCharacter(sql, position);
  const place = at === null ? undefined : placeOf(typed, part, at);
  const refusal =
    parseRefusal(reason, at === null ? "" : sql.slice(0, at)) ?? (advice === null ? null : { advice });
  const placed = place === undefined ? {} : { place };
  return new AgnesError("sql_malformed", {
    reason: withoutSettings(reason),
    position,
    ...refusal,
    ...placed,
  });
}

/** Returns the start of the first statement after a `;`. */
function secondStatement(sql: string): number {
  const tokens = tokensOf(sql);
  const end = tokens.findIndex(({ text }) => text === ";");
  return tokens.slice(end).find(({ text }) => text !== ";")?.start ?? 0;
}

/** Returns the hint for SQL that the parser does not accept as a SELECT. */
function adviceFor(sql: string): string {
  const first = tokensOf(sql)[0]?.text.toLowerCase();
  if (first === "pivot" || first === "unpivot") {
    return `Write it in a SELECT with a list of values: FROM table ${first.toUpperCase()} (…).`;
  }
  if (first === "explain") return "Write EXPLAIN followed by one SELECT, without ANALYZE or options.";
  return "Queries are read-only: write a SELECT. To update data, change it in its source and run `agnes sync`.";
}
