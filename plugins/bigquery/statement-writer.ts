import type { SourceExpression, SourceRelation, SourceStatement } from "agnes/kit";

import { literalOf, quoted, SIGNS } from "./select.ts";

/** A table of a statement. */
export interface WrittenTable {
  /** The SELECT of its rows. */
  readonly sql: string;
  /** The type of a column without parameters; undefined if it is not tested. */
  readonly typeOf: (column: string) => string | undefined;
}

/** The types of literals by those of DuckDB. Decimals are literals of the wider type. */
const LITERALS: readonly (readonly [RegExp, string])[] = [
  [/^(?:BIG|HUGE)?INT(?:EGER)?$/, "INT64"],
  [/^DECIMAL/, "BIGNUMERIC"],
  [/^VARCHAR$/, "STRING"],
  [/^BOOLEAN$/, "BOOL"],
  [/^DATE$/, "DATE"],
  [/^TIMESTAMP$/, "DATETIME"],
];

const COMPARISONS = { ...SIGNS, eq: "=", ne: "!=" } as const;

/** The type whose values are only returned, and null or not. */
const NEVER_COMPARED = "FLOAT64";

/** A part of a statement that is not tested. */
class Untested extends Error {}

function untested(): never {
  throw new Untested("a part of the statement is not tested");
}

/**
 * Writes a statement as GoogleSQL. All names are those of the statement, in backticks, and each expression is in parentheses, so
 * that no rule of precedence and no other name matters.
 */
export class StatementWriter {
  readonly #tables: ReadonlyMap<string, WrittenTable>;
  readonly #statements = new Map<string, SourceStatement>();

  constructor(tables: ReadonlyMap<string, WrittenTable>) {
    this.#tables = tables;
  }

  /** Returns the SQL; null if a part of the statement is not tested. */
  write(statement: SourceStatement): string | null {
    try {
      const sql = this.#select(statement);
      if (!statement.columns.some(({ isText }) => isText)) return sql;
      const list = statement.columns.map(({ isText }, at) =>
        isText ? `CAST(\`c${at}\` AS STRING) AS \`c${at}\`` : `\`c${at}\``,
      );
      return `SELECT ${list.join(", ")} FROM (${sql})`;
    } catch (error) {
      if (error instanceof Untested) return null;
      throw error;
    }
  }

  #select(statement: SourceStatement): string {
    const { where, groups, having, columns, isDistinct, order, limit, offset } = statement;
    const from = this.#relation(statement.from);
    const list = columns.map(({ expression }, at) => {
      const sql = isDistinct ? this.#compared(expression) : this.#expression(expression);
      return `${sql} AS \`c${at}\``;
    });
    const keys = order.map(({ column, isDescending, nullsFirst }) => {
      this.#compared(columns[column]!.expression);
      return `${column + 1} ${isDescending ? "DESC" : "ASC"} NULLS ${nullsFirst ? "FIRST" : "LAST"}`;
    });
    const grouped = (groups ?? []).map((group) => this.#compared(group));
    return [
      `SELECT ${isDistinct ? "DISTINCT " : ""}${list.join(", ")} FROM ${from}`,
      where === null ? "" : ` WHERE ${this.#expression(where)}`,
      grouped.length === 0 ? "" : ` GROUP BY ${grouped.join(", ")}`,
      having === null ? "" : ` HAVING ${this.#expression(having)}`,
      keys.length === 0 ? "" : ` ORDER BY ${keys.join(", ")}`,
      limit === null ? "" : ` LIMIT ${limit}`,
      offset === 0 ? "" : ` OFFSET ${offset}`,
    ].join("");
  }

  #relation(relation: SourceRelation): string {
    switch (relation.kind) {
      case "table":
        return `(${this.#tables.get(relation.alias)!.sql}) AS ${quoted(relation.alias)}`;
      case "select":
        this.#statements.set(relation.alias, relation.statement);
        return `(${this.#select(relation.statement)}) AS ${quoted(relation.alias)}`;
      case "join": {
        const [left, right] = [this.#relation(relation.left), this.#relation(relation.right)];
        const join = relation.isLeft ? "LEFT JOIN" : "JOIN";
        return `(${left} ${join} ${right} ON ${this.#expression(relation.on)})`;
      }
    }
  }

  #expression(expression: SourceExpression): string {
    switch (expression.kind) {
      case "column":
        if (this.#typeOf(expression) === undefined) untested();
        return `${quoted(expression.relation)}.${quoted(expression.column)}`;
      case "literal":
        return literal(expression.value, expression.type);
      case "compare": {
        const sign = COMPARISONS[expression.operator];
        return `(${this.#compared(expression.left)} ${sign} ${this.#compared(expression.right)})`;
      }
      case "and":
      case "or": {
        const operands = expression.operands.map((one) => this.#expression(one));
        return `(${operands.join(expression.kind === "and" ? " AND " : " OR ")})`;
      }
      case "not":
        return `(NOT ${this.#expression(expression.operand)})`;
      case "is_null":
        return `(${this.#expression(expression.operand)} IS NULL)`;
      case "in": {
        const values = expression.values.map((one) => this.#compared(one));
        return `(${this.#compared(expression.operand)} IN (${values.join(", ")}))`;
      }
      case "case": {
        const branches = expression.branches.map(
          ({ when, value }) => `WHEN ${this.#expression(when)} THEN ${this.#compared(value)}`,
        );
        return `(CASE ${branches.join(" ")} ELSE ${this.#compared(expression.otherwise)} END)`;
      }
      case "coalesce":
        return `COALESCE(${expression.operands.map((one) => this.#compared(one)).join(", ")})`;
      case "arithmetic":
        return `(${this.#compared(expression.left)} ${expression.operator} ${this.#compared(expression.right)})`;
      case "count":
      case "sum":
      case "min":
      case "max":
        return this.#aggregate(expression);
    }
  }

  #aggregate(
    expression: Extract<SourceExpression, { readonly kind: "count" | "sum" | "min" | "max" }>,
  ): string {
    if (expression.kind === "count") {
      const { operand, isDistinct } = expression;
      if (operand === null) return "COUNT(*)";
      return isDistinct
        ? `COUNT(DISTINCT ${this.#compared(operand)})`
        : `COUNT(${this.#expression(operand)})`;
    }
    const operand = this.#compared(expression.operand);
    if (expression.kind !== "sum") return `${expression.kind.toUpperCase()}(${operand})`;
    // A sum of INT64 or NUMERIC has this type, and fails if it is too large for it.
    return `SUM(${expression.isDistinct ? "DISTINCT " : ""}CAST(${operand} AS BIGNUMERIC))`;
  }

  /** Returns an expression whose values are compared, grouped or ordered. */
  #compared(expression: SourceExpression): string {
    if (expression.kind === "column" && this.#typeOf(expression) === NEVER_COMPARED) untested();
    return this.#expression(expression);
  }

  /** The type of a column of a table, also through other SELECTs; that of other expressions is tested. */
  #typeOf(expression: SourceExpression): string | undefined {
    if (expression.kind !== "column") return expression.type;
    const table = this.#tables.get(expression.relation);
    if (table !== undefined) return table.typeOf(expression.column);
    const inner = this.#statements.get(expression.relation)!;
    return this.#typeOf(inner.columns[Number(expression.column.slice(1))]!.expression);
  }
}

function literal(value: string | number | bigint | boolean | null, type: string): string {
  if (value === null) return "NULL";
  const own = LITERALS.find(([pattern]) => pattern.test(type))?.[1];
  const text = own === undefined ? null : literalOf(value, own);
  if (text === null) return untested();
  return text.startsWith("-") ? `(${text})` : text;
}
