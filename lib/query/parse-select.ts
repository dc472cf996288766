import { AgnesError, type SqlPlace } from "../base/mod.ts";
import { parseSql, type FunctionUse, type SelectFacts, type TableUse } from "../sql/mod.ts";
import type { Connection } from "../duckdb/mod.ts";
import { explained } from "./explain.ts";
import { pivotTypes, expressionNames, type PivotType } from "./pivot.ts";
import { keywordAdvice } from "./keyword-advice.ts";
import { parseRefusal } from "./pivot-refusals.ts";
import { markPivots } from "./pivot-text.ts";
import { indexOfByte, indexOfCharacter, placeAt } from "./place.ts";
import { refuse } from "./refuse.ts";
import { checkSize } from "./size.ts";
import { tokensOf } from "./tokens.ts";
import { withoutSettings } from "./without-settings.ts";

/** One SELECT, read. */
export interface ParsedSelect {
  /** The SELECT; without EXPLAIN, and with the names of types where `pivots` are. */
  readonly sql: string;
  /** DuckDB's tree of it. */
  readonly tree: unknown;
  readonly facts: PlacedFacts;
  /** The types that are to be made first, of the PIVOTs whose columns the data tell; each may need those before it. */
  readonly pivots: readonly PivotType[];
  /** Whether its plan is asked for, not its rows. */
  readonly isExplained: boolean;
}

/** What a SELECT reads and calls, and where in the SQL as it was typed. */
export interface PlacedFacts extends SelectFacts {
  readonly tables: readonly PlacedTable[];
  readonly tableFunctions: readonly Placed<FunctionUse>[];
  readonly functions: readonly Placed<FunctionUse>[];
  /** Where a word stands that comes but once, and that is in no name and text. */
  readonly placeOfWord: (word: RegExp) => SqlPlace | undefined;
}

export type Placed<T> = T & { readonly place?: SqlPlace | undefined };

export type PlacedTable = Placed<TableUse> & {
  /** Whether it has the name of a common table expression that DuckDB does not see from there. */
  readonly isOutOfSight?: boolean;
};

/** A part of a text that is read by itself. */
interface Part {
  readonly sql: string;
  /** Where a place of it is in what was typed. */
  readonly typedIndex: (index: number) => number | null;
}

/**
 * The one SELECT that SQL is, whatever it reads.
 * @throws `sql_malformed`, `sql_not_allowed`, `sql_too_long`
 */
export async function parseSelect(connection: Connection, sql: string): Promise<ParsedSelect> {
  checkSize(sql);
  // DuckDB would take it for the end of the text, and not look at what follows.
  if (sql.includes("\0"))
    throw new AgnesError("sql_malformed", { reason: "it contains a null character", position: null });
  return parsePart(connection, sql, { sql, typedIndex: (index) => index });
}

async function parsePart(
  connection: Connection,
  typed: string,
  part: Part,
  prefix?: string,
): Promise<ParsedSelect> {
  const { sql } = part;
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

/** For DuckDB's parser, a PIVOT without values is several statements. */
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
  const inMarked: Part = { sql: marked.sql, typedIndex: through(marked.typedIndex, part.typedIndex) };
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

/** DuckDB's parser gives no tree of EXPLAIN, so that what it explains is parsed alone. */
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

/** Of a query, with a subquery that is read by itself, and sees none of its common table expressions. */
function joined(facts: PlacedFacts, inner: PlacedFacts, expressions: ReadonlySet<string>): PlacedFacts {
  const { variant } = facts;
  const hidden = inner.tables.map((use) => {
    const isOutOfSight = use.schema === "" && expressions.has(use.name.toLowerCase());
    return isOutOfSight ? withPlace({ ...use, isOutOfSight }, () => use.place) : use;
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
    placeOfWord: (word) => {
      const found = tokensOf(typed).filter(({ text }) => word.test(text));
      return found.length === 1 ? placeAt(typed, found[0]!.start) : undefined;
    },
  };
}

/** Only an error asks for a place. */
function withPlace<T extends object>(use: T, place: () => SqlPlace | undefined): Placed<T> {
  return Object.defineProperty({ ...use }, "place", { get: place }) as Placed<T>;
}

function placeOf(typed: string, { typedIndex }: Part, index: number): SqlPlace | undefined {
  const at = typedIndex(index);
  return at === null ? undefined : placeAt(typed, at);
}

function through(
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
  const told =
    parseRefusal(reason, at === null ? "" : sql.slice(0, at)) ?? (advice === null ? null : { advice });
  const given = place === undefined ? {} : { place };
  return new AgnesError("sql_malformed", { reason: withoutSettings(reason), position, ...told, ...given });
}

/** Where what follows the first `;` begins. */
function secondStatement(sql: string): number {
  const tokens = tokensOf(sql);
  const end = tokens.findIndex(({ text }) => text === ";");
  return tokens.slice(end).find(({ text }) => text !== ";")?.start ?? 0;
}

/** Only chooses the advice; what is refused is decided by the parser. */
function adviceFor(sql: string): string {
  const word = tokensOf(sql)[0]?.text.toLowerCase();
  if (word === "pivot" || word === "unpivot") {
    return `Write it in a SELECT with a list of values: FROM table ${word.toUpperCase()} (…).`;
  }
  if (word === "explain") return "Write EXPLAIN followed by one SELECT, without ANALYZE or options.";
  return "Queries are read-only: write a SELECT. To update data, change it in its source and run `agnes sync`.";
}
