import { createTurns, redactValue, formatValue } from "../../base/mod.ts";
import {
  isFileChunk,
  type AnyConnector,
  type AnyPlugin,
  type Batch,
  type Deletions,
  type FileChunk,
  type QueryEstimate,
  type RemoteAttachInfo,
  type SourceResult,
  type TableInfo,
  type TableMetadata,
} from "../../kit/mod.ts";
import { attachProblem } from "./attach-problem.ts";
import { withCheckedJobs } from "./checked-job.ts";
import { checkedChange, checkedEvents } from "./checked-push.ts";
import {
  checkedChanges,
  checkedEstimate,
  checkedHealth,
  checkedReadResult,
  checkedWrite,
} from "./checked-results.ts";
import { hasSecretName, CONTAINS_SECRET, withoutSecretTexts } from "./clean-tables.ts";
import { pluginFailure, type Operation, type Origin } from "./failure.ts";
import { metadataProblem } from "./metadata-problem.ts";
import { withoutSecrets } from "./remote-secrets.ts";

/** Returns a connector with the same methods that wraps each failure once. */
export function guardConnector(
  connector: AnyConnector,
  origin: Origin,
  plugin: Pick<AnyPlugin, "extensions"> = {},
): AnyConnector {
  return {
    ...(connector.discover && { discover: guardedDiscover(connector, origin) }),
    ...(connector.read && { read: guardedRead(connector, origin) }),
    ...(connector.redescribe && {
      redescribe: (table, options) =>
        guardAsync(async () => cleanTable(await connector.redescribe!(table, options), origin), origin, {
          operation: "redescribe",
          table: table.name,
          signal: options.signal,
        }),
    }),
    ...guardedStream(connector, origin),
    ...guardedQuery(connector, origin),
    ...(connector.remote && {
      remote: () =>
        withoutSecrets(
          guardSync(() => checkedRemote(connector, origin, plugin), origin, { operation: "remote" }),
          origin,
        ),
    }),
    ...(connector.metadata && {
      metadata: (tables, options) =>
        guardAsync(() => checkedMetadata(connector, origin, tables, options), origin, {
          operation: "metadata",
          signal: options.signal,
        }),
    }),
    ...guardedWrites(connector, origin),
    ...(connector.health && {
      health: (options) =>
        guardAsync(async () => checkedHealth(await connector.health!(options), origin.secrets), origin, {
          operation: "health",
          signal: options.signal,
        }),
    }),
    ...(connector.close && {
      close: () => guardAsync(() => connector.close!(), origin, { operation: "close" }),
    }),
  };
}

function guardedDiscover(connector: AnyConnector, origin: Origin): NonNullable<AnyConnector["discover"]> {
  return (options) => {
    const operation = { operation: "discover", signal: options.signal };
    const found = guardSync(() => connector.discover!(options), origin, operation);
    const wrapped = (table: TableInfo) => cleanTable(table, origin);
    return isIterable(found)
      ? guardIterable<TableInfo | readonly TableInfo[], unknown>(
          () => found,
          origin,
          operation,
          (page) => (Array.isArray(page) ? page.map(wrapped) : wrapped(page as TableInfo)),
        )
      : guardAsync(async () => listOf(await found).map(wrapped), origin, operation);
  };
}

/** Redacts a table and wraps its problem as a failure of the plugin. */
function cleanTable<T extends TableInfo | undefined>(table: T, origin: Origin): T {
  if (table === undefined) return table;
  const clean = withoutSecretTexts(table, origin.secrets);
  if (clean?.problem === undefined) return clean as T;
  const operation = { operation: "read", table: clean.name };
  return { ...clean, problem: pluginFailure(clean.problem, origin, operation) } as T;
}

function checkedRemote(
  connector: AnyConnector,
  { secrets }: Origin,
  plugin: Pick<AnyPlugin, "extensions">,
): RemoteAttachInfo {
  const info = connector.remote!();
  const problem = attachProblem(plugin, info, secrets);
  if (problem !== undefined) throw new Error(problem);
  return info;
}

function guardedRead(connector: AnyConnector, origin: Origin): NonNullable<AnyConnector["read"]> {
  return (table, options) => {
    const operation = { operation: "read", table: table.name, signal: options.signal };
    return guardIterable(
      () => connector.read!(table, withCheckedJobs(options, origin.secrets)),
      origin,
      operation,
      (batch) => guardBatch(batch, origin, operation),
      (result) => checkedReadResult(result, origin.secrets),
    );
  };
}

function guardedStream(connector: AnyConnector, origin: Origin): Pick<AnyConnector, "verify" | "stream"> {
  return {
    ...(connector.verify && {
      verify: (request) =>
        guardAsync(async () => checkedEvents(await connector.verify!(request)), origin, {
          operation: "verify",
        }),
    }),
    ...(connector.stream && {
      stream: (events, options) => {
        const input = trackInput(events);
        const operation = { operation: "stream", signal: options.signal };
        const open = () => connector.stream!(input.iterable, options);
        return input.withInputErrors(guardIterable(open, origin, operation, checkedChange));
      },
    }),
  };
}

function guardedQuery(
  connector: AnyConnector,
  origin: Origin,
): Pick<AnyConnector, "query" | "estimate" | "selectSql" | "statementSql"> {
  return {
    ...(connector.query && {
      query: async (sql, options) => {
        const operation = { operation: "query", signal: options.signal };
        const result = await guardAsync(
          () => checkedResult(connector, origin, sql, withCheckedJobs(options, origin.secrets)),
          origin,
          operation,
        );
        const guarded = (open: () => AsyncIterable<Batch>) =>
          guardIterable(open, origin, operation, (batch) => guardBatch(batch, origin, operation));
        const { schema, batches, parts } = result;
        return parts === undefined
          ? { schema, batches: guarded(() => batches) }
          : { schema, parts: parts.map((part) => (partOptions) => guarded(() => part(partOptions))) };
      },
    }),
    ...(connector.selectSql && {
      selectSql: (table, request) =>
        guardSync(() => checkedSql(connector.selectSql!(table, request)), origin, {
          operation: "selectSql",
          table: table.name,
        }),
    }),
    ...(connector.statementSql && {
      statementSql: (statement, options) => {
        const operation = { operation: "statementSql", signal: options.signal };
        const work = async () => {
          const sql = await connector.statementSql!(statement, options);
          return sql === null ? null : checkedSql(sql);
        };
        return guardAsync(work, origin, operation);
      },
    }),
    ...(connector.estimate && {
      estimate: (sql, options) => {
        const operation = { operation: "estimate", signal: options.signal };
        return guardAsync(() => cleanEstimate(connector, origin, sql, options), origin, operation);
      },
    }),
  };
}

async function cleanEstimate(
  connector: AnyConnector,
  origin: Origin,
  ...request: Parameters<NonNullable<AnyConnector["estimate"]>>
): Promise<QueryEstimate> {
  const estimate = checkedEstimate(await connector.estimate!(...request), origin.secrets);
  checkNames(estimate.schema, origin);
  const { problem } = estimate;
  if (problem === undefined) return estimate;
  return { ...estimate, problem: pluginFailure(problem, origin, { operation: "query" }) };
}

function checkedSql(sql: string): string {
  const value: unknown = sql;
  if (typeof value === "string" && value.trim() !== "") return value;
  throw new TypeError(`it returned ${formatValue(value)}, which is not SQL`);
}

function checkNames(schema: SourceResult["schema"] | undefined, { secrets }: Origin): void {
  if (hasSecretName(schema?.fields ?? [], secrets))
    throw new Error(`the name of a column ${CONTAINS_SECRET}`);
}

async function checkedResult(
  connector: AnyConnector,
  origin: Origin,
  ...request: Parameters<NonNullable<AnyConnector["query"]>>
): Promise<SourceResult> {
  const result = await connector.query!(...request);
  checkNames(result.schema, origin);
  if (result.parts !== undefined && !isListOfParts(result.parts)) {
    throw new TypeError("the `parts` of its result are not a list of functions that return batches");
  }
  return result;
}

function isListOfParts(parts: unknown): boolean {
  return Array.isArray(parts) && parts.every((part) => typeof part === "function");
}

async function checkedMetadata(
  connector: AnyConnector,
  { secrets }: Origin,
  ...request: Parameters<NonNullable<AnyConnector["metadata"]>>
): Promise<readonly TableMetadata[]> {
  const found = redactValue(await connector.metadata!(...request), secrets);
  const problem = metadataProblem(found);
  if (problem !== undefined) throw new TypeError(problem);
  return found;
}

function guardedWrites(
  connector: AnyConnector,
  origin: Origin,
): Pick<AnyConnector, "write" | "writeTarget" | "checkWrite" | "writeMetadata"> {
  return {
    ...(connector.write && {
      write: (...request) => {
        const write = async (...own: typeof request) => checkedWrite(await connector.write!(...own));
        return withRows("write", origin, write, request);
      },
    }),
    ...(connector.checkWrite && {
      checkWrite: (...request) =>
        withRows("checkWrite", origin, async (...own) => connector.checkWrite!(...own), request),
    }),
    ...(connector.writeMetadata && {
      writeMetadata: (name, columns, options) => {
        const changes = async () =>
          redactValue(
            checkedChanges(await connector.writeMetadata!(name, columns, options), columns),
            origin.secrets,
          );
        const { signal } = options;
        return guardAsync(changes, origin, { operation: "writeMetadata", table: name, signal });
      },
    }),
    ...(connector.writeTarget && {
      writeTarget: (name, options) => {
        const target = async () =>
          cleanTable((await connector.writeTarget!(name, options)) ?? undefined, origin) ?? null;
        return guardAsync(target, origin, { operation: "writeTarget", table: name, signal: options.signal });
      },
    }),
  };
}

/** Calls a method that reads rows; the failures of the rows are not those of the plugin. */
async function withRows<R>(
  name: string,
  origin: Origin,
  method: (...request: Parameters<NonNullable<AnyConnector["write"]>>) => Promise<R>,
  [table, batches, options]: Parameters<NonNullable<AnyConnector["write"]>>,
): Promise<R> {
  const input = trackInput(batches);
  const operation = { operation: name, table: table.name, signal: options.signal };
  try {
    return await guardAsync(() => method(table, input.iterable, options), origin, operation);
  } catch (error) {
    throw input.failure?.error ?? error;
  }
}

/** Guards the bytes of a file chunk too, because they are read later. */
function guardBatch<B extends Batch | Deletions>(
  batch: B,
  origin: Origin,
  operation: Operation,
): B | FileChunk {
  const value: Batch | Deletions = batch;
  // The reader rejects data that is neither a path nor bytes.
  if (!isFileChunk(value) || typeof value.data === "string" || !isIterable(value.data)) return batch;
  const { data } = value;
  return { ...value, data: guardIterable(() => data, origin, operation) };
}

async function* guardIterable<T, R>(
  open: () => AsyncIterable<T, R>,
  origin: Origin,
  operation: Operation,
  each: (value: T) => T = (value) => value,
  last: (result: R) => R = (result) => result,
): AsyncGenerator<T, R, void> {
  const turn = createTurns();
  try {
    const iterator = iteratorOf(open(), operation);
    let isOpen = true;
    try {
      for (;;) {
        isOpen = false;
        await turn();
        const step = await iterator.next();
        if (step.done === true) return last(step.value);
        isOpen = true;
        yield each(step.value);
      }
    } finally {
      // Only an iterator that was stopped early needs closing.
      if (isOpen) await iterator.return?.();
    }
  } catch (error) {
    throw pluginFailure(error, origin, operation);
  }
}

function iteratorOf<T, R>(value: AsyncIterable<T, R>, { operation }: Operation): AsyncIterator<T, R> {
  if (isIterable(value)) return value[Symbol.asyncIterator]();
  const advice = operation === "query" ? "" : `; write it as \`async *${operation}(…)\` with \`yield\``;
  throw new TypeError(`it returned ${formatValue(value)}, which is not an async iterable${advice}`);
}

async function guardAsync<T>(work: () => T | Promise<T>, origin: Origin, operation: Operation): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw pluginFailure(error, origin, operation);
  }
}

function guardSync<T>(work: () => T, origin: Origin, operation: Operation): T {
  try {
    return work();
  } catch (error) {
    throw pluginFailure(error, origin, operation);
  }
}

/** Tracks errors of an iterable that is passed to a plugin, because they are not failures of the plugin. */
function trackInput<T>(source: AsyncIterable<T>): {
  readonly iterable: AsyncIterable<T>;
  readonly failure: { readonly error: unknown } | undefined;
  /** Returns `output`, but throws the error of the input if that failed. */
  withInputErrors<U>(output: AsyncIterable<U>): AsyncIterable<U>;
} {
  let failure: { readonly error: unknown } | undefined;
  async function* iterable() {
    try {
      yield* source;
    } catch (error) {
      failure = { error };
      throw error;
    }
  }
  async function* withInputErrors<U>(output: AsyncIterable<U>) {
    try {
      yield* output;
    } catch (error) {
      throw failure?.error ?? error;
    }
  }
  return {
    iterable: iterable(),
    withInputErrors,
    get failure() {
      return failure;
    },
  };
}

function isIterable<T, R>(value: Promise<unknown> | AsyncIterable<T, R>): value is AsyncIterable<T, R> {
  const candidate: unknown = value;
  return typeof candidate === "object" && candidate !== null && Symbol.asyncIterator in candidate;
}

function listOf(found: readonly TableInfo[]): readonly TableInfo[] {
  if (Array.isArray(found)) return found;
  throw new TypeError(`it returned ${formatValue(found)}, which is not a list of tables`);
}
