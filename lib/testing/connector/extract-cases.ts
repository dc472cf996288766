import assert from "node:assert/strict";
import { join } from "node:path";

import { isAgnesError, toExposedName } from "../../base/mod.ts";
import { quoteIdentifier, quoteLiteral } from "../../duckdb/mod.ts";
import { extractSource, type ExtractStats, type TablePlan } from "../../extract/mod.ts";
import type { AnyConnector, TableInfo } from "../../kit/mod.ts";
import type { FetchFault } from "../fakes/faulty-fetch.ts";
import type { SourceCase } from "./source-case.ts";
import { assertNoSecret } from "./leaks.ts";
import { Workbench } from "./rows.ts";
import { SOURCE, TEST_LIMITS, type Session } from "./session.ts";

/** Cases about the whole path from the source to a published extract. */
export const extractCases: readonly SourceCase[] = [
  {
    name: "an extract publishes every row of every table",
    needs: ["read"],
    needsTables: true,
    async run(session) {
      await using reference = await Reference.read(session);
      const { tables } = reference;
      const { directory, stats } = await extract(session, tables);
      assertPublished(stats, tables);
      await reference.compare(directory);
      const notes = stats.tables.flatMap((one) => one.notes.map((note) => `${one.name}: ${note}`));
      const miscounted = notes.find((note) => note.includes(": its source reports "));
      assert.ok(miscounted === undefined, `tableRows of a read is wrong: ${miscounted}`);
      assertNoSecret(session, "the result of the extract", stats);
    },
  },
  {
    name: "a second extract of an unchanged source publishes the same rows",
    needs: ["read"],
    needsTables: true,
    async run(session) {
      await using reference = await Reference.read(session);
      const { tables } = reference;
      const { directory } = await extract(session, tables);
      const { stats } = await extract(session, tables, { directory, incremental: true });
      assert.equal(stats.tablesFailed, 0, failuresOf(stats));
      assert.deepEqual(stats.schemaChanges, [], "the schema changed although the source did not");
      await reference.compare(directory);
      await checkByState(session, reference);
    },
  },
  ...faultCases(),
];

/** Checks that a delta by state, of tables without a cursor column, yields no row of an unchanged source again. */
async function checkByState(session: Session, reference: Reference): Promise<void> {
  const tables = reference.tables.filter(({ cursor }) => cursor === undefined);
  if (tables.length === 0) return;
  const options = { directory: join(session.scratch, "by-state"), incremental: "always" } as const;
  await extract(session, tables, options);
  const { directory, stats } = await extract(session, tables, options);
  assert.equal(stats.tablesFailed, 0, failuresOf(stats));
  await reference.compare(directory, tables);
}

function faultCases(): readonly SourceCase[] {
  const faults: readonly (readonly [string, FetchFault | "short page"])[] = [
    ["a response 429", { kind: "status", status: 429, retryAfter: "1" }],
    ["a response 500", { kind: "status", status: 500 }],
    ["a lost connection", { kind: "reset" }],
    ["a truncated body", { kind: "cut body" }],
    ["a short page", "short page"],
    ["a repeated page", { kind: "repeat" }],
  ];
  return faults.map(([title, fault]) => ({
    name: `an extract survives ${title}`,
    needs: ["read"],
    needsTables: true,
    when: (config) => config.server !== undefined,
    run: (session) => checkFault(session, fault),
  }));
}

/** The first requests suffice: listing, a first page, a middle page, a last page. */
const REQUESTS_MAX = 4;

/** Injects a fault into the first request of a run, then the second, and so on. */
async function checkFault(session: Session, fault: FetchFault | "short page"): Promise<void> {
  const server = session.config.server!;
  await using reference = await Reference.read(session);
  const { tables } = reference;
  // The first response cannot be repeated: there is no earlier one.
  const first = typeof fault === "object" && fault.kind === "repeat" ? 1 : 0;
  for (let skip = first; skip < first + REQUESTS_MAX; skip += 1) {
    if (fault === "short page") server.shortenNextPage(skip);
    else server.inject([fault], skip);
    const { directory, stats } = await extract(session, tables, {
      directory: join(session.scratch, `fault-${skip}`),
    });
    const isMet = server.pending === 0;
    server.inject([]);
    // The connector may reject a repeated page; detection by the runtime alone is not enough.
    const isRepeat = typeof fault === "object" && fault.kind === "repeat";
    const isNoticed = !stats.errors.some(({ error }) => isAgnesError(error, "primary_key_repeated"));
    if (isRepeat && stats.tablesFailed > 0 && isNoticed) continue;
    assertPublished(stats, tables);
    await reference.compare(directory);
    if (!isMet) return;
  }
}

/** Attaches the published tables in a folder while `use` runs; the parameter returns the relation of a table. */
export async function withPublished(
  { connection }: Workbench,
  directory: string,
  use: (relationOf: (table: string) => string) => Promise<void>,
): Promise<void> {
  await connection.run(`ATTACH ${quoteLiteral(join(directory, "extract.duckdb"))} AS published (READ_ONLY)`);
  await use((table) => `published.${quoteIdentifier(toExposedName(table))}`);
  await connection.run("DETACH published");
}

/** Extracts tables through the runtime. */
export async function extract(
  session: Session,
  tables: readonly TableInfo[],
  options: {
    readonly directory?: string;
    /** Whether tables with a cursor, or all tables, are incremental. Default: `false`. */
    readonly incremental?: boolean | "always";
    readonly connector?: AnyConnector;
  } = {},
): Promise<{ readonly directory: string; readonly stats: ExtractStats }> {
  const { host, log, handle, scratch, signal } = session;
  const directory = options.directory ?? join(scratch, "extract");
  const stats = await extractSource(
    { host, log, limits: TEST_LIMITS },
    {
      directory,
      source: { name: SOURCE, plugin: handle.plugin, connector: options.connector ?? handle.connector },
      tables: tables.map((info) => planOf(info, options.incremental ?? false)),
      signal,
    },
  );
  return { directory, stats };
}

function planOf(info: TableInfo, incremental: boolean | "always"): TablePlan {
  const name = toExposedName(info.name);
  const isIncremental = incremental === "always" || (incremental && info.cursor !== undefined);
  return {
    id: `${SOURCE}.${name}`,
    name,
    info,
    mode: "local",
    strategy: isIncremental ? "incremental" : "full_refresh",
    primaryKey: info.primaryKey,
    ...(info.cursor === undefined ? {} : { cursor: info.cursor }),
    schemaPolicy: "evolve",
    quarantine: false,
    description: info.description ?? "",
  };
}

/** Fails unless all tables were published. */
export function assertPublished(stats: ExtractStats, tables: readonly TableInfo[]): void {
  assert.equal(stats.tablesFailed, 0, failuresOf(stats));
  assert.equal(stats.tablesExtracted, tables.length, "not every table was extracted");
}

function failuresOf(stats: ExtractStats): string {
  return stats.errors.map(({ table, error }) => `${table}: ${error.message}`).join("\n");
}

/** The rows of tables as the connector yields them, for comparison with extracts. */
class Reference implements AsyncDisposable {
  readonly #bench: Workbench;
  readonly #reads: ReadonlyMap<string, string>;

  /** The tables that were read completely. */
  readonly tables: readonly TableInfo[];

  private constructor(bench: Workbench, reads: ReadonlyMap<string, string>, tables: readonly TableInfo[]) {
    this.#bench = bench;
    this.#reads = reads;
    this.tables = tables;
  }

  static async read(session: Session): Promise<Reference> {
    const bench = await Workbench.open(session);
    const reads = new Map<string, string>();
    const tables: TableInfo[] = [];
    for (const info of await session.readTables()) {
      const name = await bench.readWhole(info);
      if (name === null) continue;
      reads.set(info.name, name);
      tables.push(info);
    }
    return new Reference(bench, reads, tables);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bench[Symbol.asyncDispose]();
  }

  /** Fails if the published rows of tables in a folder differ from the rows read. */
  async compare(directory: string, tables: readonly TableInfo[] = this.tables): Promise<void> {
    if (tables.length === 0) return;
    await withPublished(this.#bench, directory, async (relationOf) => {
      for (const { name } of tables)
        await this.#bench.assertSameRows(relationOf(name), this.#reads.get(name)!, `the extract of ${name}`);
    });
  }
}
