import { AgnesError, type Host, type Log } from "../../base/mod.ts";
import type { DuckDBLimits } from "../../duckdb/mod.ts";
import type { TableRecord } from "../../tables/mod.ts";
import type { GuardedQuery } from "../guard.ts";
import type { Opening } from "../opening.ts";
import { withoutViewTexts } from "../limited-failure.ts";
import { expressionNames } from "../pivot.ts";
import type { Run } from "../run.ts";
import type { TableNames } from "../tables.ts";
import { checkAliases, type TakenNames } from "./check-aliases.ts";
import { Hybrid } from "./hybrid.ts";
import { readKeys } from "./keys.ts";
import type { HybridSources, RegisteredQuery } from "./types.ts";

/** A query with registered queries. */
export interface HybridQuery {
  readonly register: Readonly<Record<string, RegisteredQuery>>;
  readonly query: GuardedQuery;
  /** The published tables that the caller may access. */
  readonly names: TableNames;
  /** The ids and view names that the caller may access; null: all tables. */
  readonly access: ReadonlySet<string> | null;
}

interface Services {
  readonly services: { readonly host: Host; readonly log: Log; readonly limits: DuckDBLimits };
  readonly sources: HybridSources | undefined;
  /** Prepares a SELECT over the tables of the catalog, such as that of keys. */
  readonly prepare: (sql: string, opening: Opening) => Promise<Run>;
  /** Converts an error for the caller. */
  readonly failure: (error: unknown, secrets?: Iterable<string>) => unknown;
}

/** Checks the aliases of a query, reads their keys and estimates them. @throws the errors of `register` in `query` */
export async function openHybrid(
  { register, query, names, access }: HybridQuery,
  { services, sources, prepare, failure }: Services,
  opening: Opening,
): Promise<Hybrid> {
  if (sources === undefined) {
    const reason = "a session without sources cannot run queries in them";
    throw new AgnesError("invalid_input", { what: "register", reason });
  }
  const visible = visibleRecords(await sources.tables(), access);
  const accessible = access === null ? null : visible;
  const aliases = checkAliases(register, takenNames(query, names, visible), { sources, accessible });
  opening.onWait(
    aliases.map(({ name }) => name).join(", "),
    aliases.length === 1 ? "the alias" : "the aliases",
  );
  return Hybrid.open({
    services,
    sources,
    aliases,
    accessible,
    async readKeys(alias, signal) {
      const run = await prepare(alias.keys, { ...opening, signal, onWait: () => {} });
      try {
        return await readKeys(run.connection, run.sql, alias, signal);
      } catch (error) {
        throw failure(withoutViewTexts(error, run, access), run.secrets);
      } finally {
        await run.release();
      }
    },
    failure,
    ...(opening.onJob && { onJob: opening.onJob }),
    user: opening.user,
    signal: opening.signal,
  });
}

/** Whether a table of a query is an alias. */
export function isAlias(
  register: Readonly<Record<string, RegisteredQuery>> | undefined,
): (use: { readonly schema: string; readonly name: string }) => boolean {
  const aliases = new Set(Object.keys(register ?? {}).map((name) => name.toLowerCase()));
  return ({ schema, name }) => isUnqualified(schema) && aliases.has(name.toLowerCase());
}

/** The tables of aliases and views are in the schema `main`. */
const isUnqualified = (schema: string): boolean => schema === "" || schema.toLowerCase() === "main";

/** Returns the registered tables that a caller may access. */
export function visibleRecords<T extends TableRecord>(
  records: readonly T[],
  access: ReadonlySet<string> | null,
): readonly T[] {
  if (access === null) return records;
  const allowed = new Set([...access].map((name) => name.toLowerCase()));
  return records.filter(
    ({ id, viewName }) =>
      allowed.has(id.toLowerCase()) || (viewName !== null && allowed.has(viewName.toLowerCase())),
  );
}

function takenNames(query: GuardedQuery, names: TableNames, records: readonly TableRecord[]): TakenNames {
  const views = [...names.tables, ...records].flatMap(({ viewName }) => viewName ?? []);
  const trees = [query.tree, ...query.pivots.map(({ tree }) => tree)];
  return {
    tables: new Set(views.map((name) => name.toLowerCase())),
    expressions: new Set(trees.flatMap((tree) => [...expressionNames(tree)])),
    used: new Set(
      query.tables.filter(({ schema }) => isUnqualified(schema)).map(({ name }) => name.toLowerCase()),
    ),
  };
}
