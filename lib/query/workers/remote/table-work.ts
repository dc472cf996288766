import type { LiveRequest, LiveResolver, LiveTable } from "../../../sources/mod.ts";
import { unexpected } from "./alias-work.ts";
import { receivedRequest, sentSchema, type SentRequest, type SentTable } from "./messages.ts";

/** The most tables that one worker may know. */
const TABLES_MAX = 10_000;

/** The remote tables that one worker process has found, by number. It uses them for further queries as well. */
export class KnownTables {
  readonly #tables: { readonly id: string; readonly live: LiveTable }[] = [];

  add(id: string, live: LiveTable): number {
    if (this.#tables.length >= TABLES_MAX) throw unexpected(`more than ${TABLES_MAX} tables`);
    return this.#tables.push({ id, live }) - 1;
  }

  get(table: number): { readonly id: string; readonly live: LiveTable } {
    const known = this.#tables[table];
    if (known === undefined) throw unexpected("a table that it has not found");
    return known;
  }
}

/** Reads remote tables for one query in a worker, if its caller may access them. */
export class TableWork {
  readonly #resolve: LiveResolver;
  readonly #known: KnownTables;
  readonly #accessible: () => Promise<ReadonlySet<string>>;

  /** @param accessible the ids of the remote tables that the caller may access */
  constructor(resolve: LiveResolver, known: KnownTables, accessible: () => Promise<ReadonlySet<string>>) {
    this.#resolve = resolve;
    this.#known = known;
    this.#accessible = accessible;
  }

  /** Finds a table; null if it is not accessible, or cannot be read. */
  async resolve(source: string, name: string): Promise<SentTable | null> {
    const id = `${source}.${name}`;
    if (!(await this.#accessible()).has(id)) return null;
    const live = await this.#resolve({ source, name });
    if (live === null) return null;
    return { table: this.#known.add(id, live), schema: sentSchema(live.schema), rows: live.rows ?? null };
  }

  /** Returns an accessible table, and the part of a request that its connector handles. */
  async narrow(
    table: number,
    sent: SentRequest,
  ): Promise<{ readonly live: LiveTable; readonly request: LiveRequest }> {
    const { id, live } = this.#known.get(table);
    if (!(await this.#accessible()).has(id)) throw unexpected("a table that its caller may not access");
    const request = receivedRequest(sent);
    checkRequest(request, live);
    return { live, request: await live.narrow(request) };
  }
}

const OPERATORS = new Set(["eq", "ne", "gt", "ge", "lt", "le", "is_null", "is_not_null"]);
const SCALARS = new Set(["string", "number", "bigint", "boolean"]);
const DECIMAL = /^-?\d+(?:\.\d+)?$/;

/** Checks a request, which a connector writes as SQL or as parameters. */
function checkRequest({ columns, filter, limit }: LiveRequest, { schema }: LiveTable): void {
  const names = new Set(schema.fields.map((field) => String(field.name)));
  const isLimit = limit === undefined || (Number.isSafeInteger(limit) && limit >= 0);
  const areColumns = Array.isArray(columns) && columns.every((name) => names.has(name));
  const areConditions = filter.every(
    ({ column, operator, values, isDecimal = false }) =>
      names.has(column) &&
      OPERATORS.has(operator) &&
      values.every(
        (value) =>
          (SCALARS.has(typeof value) || value instanceof Date) &&
          (!isDecimal || (typeof value === "string" && DECIMAL.test(value))),
      ),
  );
  if (!isLimit || !areColumns || !areConditions) throw unexpected("rows that a query cannot request");
}
