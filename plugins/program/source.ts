import { access, constants, rm } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";

import {
  quoteIdentifier,
  quoteLiteral,
  type Batch,
  type ConnectContext,
  type Cursor,
  type Health,
  type ReadOptions,
  type ReadResult,
  type Secret,
  type TableInfo,
} from "agnes/kit";

import { failureOf, fromOf, ProgramExtract } from "./extract.ts";
import type { ProgramOptions } from "./options.ts";
import { runProgram } from "./process.ts";
import { resultOf, type ProgramResult } from "./result.ts";
import { createScratch } from "./scratch.ts";

type Context = ConnectContext<ProgramOptions, Record<never, never>>;

interface Run {
  readonly extract: ProgramExtract;
  readonly result: ProgramResult;
  /** The tables whose last state the program got. */
  readonly continued: ReadonlySet<string>;
}

/** What a program needs of the environment, besides the secrets of its source. */
const PASSED = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "SYSTEMROOT", "TEMP", "TMP"];

/**
 * One connection to a program. It runs once, and all tables are read from its extract. If it continued a table from its last
 * state, but all rows are needed, it runs once more, without states.
 */
export class ProgramSource {
  readonly #context: Context;
  readonly #stop = new AbortController();
  readonly #running = new Map<"continued" | "whole", Promise<Run>>();
  readonly #directories: string[] = [];

  constructor(context: Context) {
    this.#context = context;
  }

  async discover(signal: AbortSignal): Promise<readonly TableInfo[]> {
    const { extract, result } = await this.#run("continued", signal);
    return extract.tables(this.#context.options.tables, result, signal);
  }

  async *read(
    { name, schema }: TableInfo,
    { columns, cursor, isDelta = false, batchRows, signal }: ReadOptions,
  ): AsyncGenerator<Batch, ReadResult> {
    const first = await this.#run("continued", signal);
    // The rows since that state would replace all published rows.
    const isWhole = !isDelta && first.continued.has(name);
    const { extract, result } = isWhole ? await this.#run("whole", signal) : first;
    const failure = failureOf(result, name);
    if (failure !== null) throw failure;
    const names = columns ?? schema.fields.map((field) => String(field.name));
    const selected = names.length === 0 ? "*" : names.map((column) => quoteIdentifier(column)).join(", ");
    const where = cursor === undefined ? "" : ` WHERE ${conditionOf(cursor)}`;
    const sql = `SELECT ${selected} FROM ${fromOf(name)}${where}`;
    const { batches } = await extract.query(sql, { signal, batchRows });
    yield* batches;
    const own = Object.hasOwn(result.tables, name) ? result.tables[name] : undefined;
    return own?.state === undefined ? {} : { state: own.state };
  }

  /** Whether the program exists; it is not run. */
  async health(): Promise<Health> {
    const program = this.#command[0]!;
    const paths = isAbsolute(program)
      ? [program]
      : (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, program));
    for (const path of paths) {
      const isRunnable = await access(path, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (isRunnable) return { ok: true, message: `${path} can be run` };
    }
    return { ok: false, message: `there is no program ${program}` };
  }

  /** Stops the program and removes its files. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#running.values());
    for (const directory of this.#directories) await rm(directory, { recursive: true, force: true });
  }

  /** A program with a path is one of the workspace. */
  get #command(): readonly string[] {
    const [program, ...parameters] = this.#context.options.command;
    const hasPath = /[/\\]/.test(program!);
    return [hasPath ? this.#context.resolvePath(program!) : program!, ...parameters];
  }

  #run(kind: "continued" | "whole", signal: AbortSignal): Promise<Run> {
    const known = this.#running.get(kind);
    if (known !== undefined) return known;
    const running = this.#start(kind, signal).catch((error: unknown) => {
      if (signal.aborted) this.#running.delete(kind);
      throw error;
    });
    this.#running.set(kind, running);
    return running;
  }

  async #start(kind: "continued" | "whole", signal: AbortSignal): Promise<Run> {
    const { options, duckdb, log, resolvePath } = this.#context;
    const directory = await createScratch();
    this.#directories.push(directory);
    const extract = new ProgramExtract(duckdb, directory);
    const input = await this.#input(extract.path, directory, kind === "whole");
    const line = await runProgram({
      command: this.#command,
      directory: resolvePath("."),
      env: this.#environment(),
      input: `${JSON.stringify(input)}\n`,
      timeoutMs: options.timeoutMinutes * 60_000,
      noProgressMs: options.noProgressMinutes * 60_000,
      onLine: (text) => log.info(text),
      progress: () => extract.checkedSize(),
      signal: AbortSignal.any([signal, this.#stop.signal]),
    });
    await extract.checkedSize();
    const continued = input.tables.filter(({ state }) => state !== null).map(({ name }) => name);
    return { extract, result: resultOf(line), continued: new Set(continued) };
  }

  #environment(): Readonly<Record<string, string>> {
    const env: Record<string, string> = {};
    for (const name of PASSED) {
      const value = process.env[name];
      if (value !== undefined) env[name] = value;
    }
    const secrets = this.#context.secrets as Readonly<Record<string, Secret | undefined>>;
    for (const [name, secret] of Object.entries(secrets)) if (secret) env[name] = secret.reveal();
    return env;
  }

  async #input(extract: string, directory: string, isWhole: boolean) {
    const { source, options, published } = this.#context;
    const tables = [];
    for (const [name, { primaryKey, cursor = null, settings }] of Object.entries(options.tables)) {
      const state = isWhole ? null : ((await published(name)) ?? null);
      tables.push({ name, primary_key: primaryKey, cursor, settings, state });
    }
    return { version: 1, source, directory, extract, settings: options.settings, tables };
  }
}

function conditionOf({ column, value, inclusive }: Cursor): string {
  const [name, start] = [quoteIdentifier(column), quoteLiteral(value)];
  return inclusive ? `(${name} >= ${start} OR ${name} IS NULL)` : `${name} > ${start}`;
}
