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
import { checkedChange, checkedEvents } from "./checked-push.ts";
import { hasSecretName, HOLDS, withoutSecretTexts } from "./clean-tables.ts";
import { pluginFailure, type Operation, type Origin } from "./failure.ts";
import { metadataProblem } from "./metadata-problem.ts";
import { withoutSecrets } from "./remote-secrets.ts";

/** A connector whose every failure is wrapped once; it has the methods that `connector` has. */
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
        later(async () => cleanTable(await connector.redescribe!(table, options), origin), origin, {
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
          now(() => checkedRemote(connector, origin, plugin), origin, { operation: "remote" }),
          origin,
        ),
    }),
    ...(connector.metadata && {
      metadata: (tables, options) =>
        later(() => checkedMetadata(connector, origin, tables, options), origin, {
          operation: "metadata",
          signal: options.signal,
        }),
    }),
    ...(connector.write && { write: guardedWrite(connector, origin) }),
    ...(connector.health && {
      health: (options) =>
        later(async () => redactValue(await connector.health!(options), origin.secrets), origin, {
          operation: "health",
          signal: options.signal,
        }),
    }),
    ...(connector.close && { close: () => later(() => connector.close!(), origin, { operation: "close" }) }),
  };
}

function guardedDiscover(connector: AnyConnector, origin: Origin): NonNullable<AnyConnector["discover"]> {
  return (options) => {
    const operation = { operation: "discover", signal: options.signal };
    const found = now(() => connector.discover!(options), origin, operation);
    const wrapped = (table: TableInfo) => cleanTable(table, origin);
    return isIterable(found)
      ? guardIterable<TableInfo | readonly TableInfo[], unknown>(
          () => found,
          origin,
          operation,
          (page) => (Array.isArray(page) ? page.map(wrapped) : wrapped(page as TableInfo)),
        )
      : later(async () => listOf(await found).map(wrapped), origin, operation);
  };
}

/** A table without secrets, whose problem is a failure of the plugin like any other. */
function cleanTable<T extends TableInfo | undefined>(given: T, origin: Origin): T {
  if (given === undefined) return given;
  const table = withoutSecretTexts(given, origin.secrets);
  if (table?.problem === undefined) return table as T;
  const operation = { operation: "read", table: table.name };
  return { ...table, problem: pluginFailure(table.problem, origin, operation) } as T;
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
      () => connector.read!(table, options),
      origin,
      operation,
      (batch) => guardBatch(batch, origin, operation),
    );
  };
}

function guardedStream(connector: AnyConnector, origin: Origin): Pick<AnyConnector, "verify" | "stream"> {
  return {
    ...(connector.verify && {
      verify: (request) =>
        later(async () => checkedEvents(await connector.verify!(request)), origin, { operation: "verify" }),
    }),
    ...(connector.stream && {
      stream: (events, options) => {
        const given = watched(events);
        const operation = { operation: "stream", signal: options.signal };
        const open = () => connector.stream!(given.iterable, options);
        return given.unlessOurs(guardIterable(open, origin, operation, checkedChange));
      },
    }),
  };
}

function guardedQuery(
  connector: AnyConnector,
  origin: Origin,
): Pick<AnyConnector, "query" | "estimate" | "selectSql"> {
  return {
    ...(connector.query && {
      query: async (sql, options) => {
        const operation = { operation: "query", signal: options.signal };
        const answer = await later(() => answerOf(connector, origin, sql, options), origin, operation);
        const guarded = (open: () => AsyncIterable<Batch>) =>
          guardIterable(open, origin, operation, (batch) => guardBatch(batch, origin, operation));
        const { schema, batches, parts } = answer;
        return parts === undefined
          ? { schema, batches: guarded(() => batches) }
          : { schema, parts: parts.map((part) => (partOptions) => guarded(() => part(partOptions))) };
      },
    }),
    ...(connector.selectSql && {
      selectSql: (table, wanted) =>
        now(() => textOf(connector.selectSql!(table, wanted)), origin, {
          operation: "selectSql",
          table: table.name,
        }),
    }),
    ...(connector.estimate && {
      estimate: (sql, options) =>
        later(async () => checkedEstimate(await connector.estimate!(sql, options)), origin, {
          operation: "estimate",
          signal: options.signal,
        }),
    }),
  };
}

function textOf(sql: string): string {
  const given: unknown = sql;
  if (typeof given === "string" && given.trim() !== "") return given;
  throw new TypeError(`it returned ${formatValue(given)}, which is no SQL`);
}

async function answerOf(
  connector: AnyConnector,
  { secrets }: Origin,
  ...asked: Parameters<NonNullable<AnyConnector["query"]>>
): Promise<SourceResult> {
  const answer = await connector.query!(...asked);
  if (hasSecretName(answer.schema?.fields ?? [], secrets)) throw new Error(`the name of a column ${HOLDS}`);
  if (answer.parts !== undefined && !isListOfParts(answer.parts)) {
    throw new TypeError("the `parts` of its result are not a list of functions that return batches");
  }
  return answer;
}

function isListOfParts(parts: unknown): boolean {
  return Array.isArray(parts) && parts.every((part) => typeof part === "function");
}

function checkedEstimate(estimate: QueryEstimate): QueryEstimate {
  const { rows, scannedBytes, price } = estimate;
  const figures = { rows, scannedBytes, "price.amount": price?.amount };
  for (const [name, figure] of Object.entries(figures) as readonly [string, unknown][]) {
    const isFigure = figure === undefined || (typeof figure === "number" && figure >= 0 && figure < Infinity);
    if (!isFigure) throw new TypeError(`it returned ${formatValue(figure)} as ${name}, which is no estimate`);
  }
  if (price !== undefined && !/^[A-Z]{3}$/.test(price.currency))
    throw new TypeError(`it returned the currency ${formatValue(price.currency)}, which is no ISO 4217 code`);
  return estimate;
}

async function checkedMetadata(
  connector: AnyConnector,
  { secrets }: Origin,
  ...asked: Parameters<NonNullable<AnyConnector["metadata"]>>
): Promise<readonly TableMetadata[]> {
  const found = redactValue(await connector.metadata!(...asked), secrets);
  const problem = metadataProblem(found);
  if (problem !== undefined) throw new TypeError(problem);
  return found;
}

function guardedWrite(connector: AnyConnector, origin: Origin): NonNullable<AnyConnector["write"]> {
  return async (table, batches, options) => {
    const given = watched(batches);
    const operation = { operation: "write", table: table.name, signal: options.signal };
    try {
      return await later(() => connector.write!(table, given.iterable, options), origin, operation);
    } catch (error) {
      throw given.failure?.error ?? error;
    }
  };
}

/** A file's bytes come while the runtime reads them, so they are guarded as well. */
function guardBatch<B extends Batch | Deletions>(
  batch: B,
  origin: Origin,
  operation: Operation,
): B | FileChunk {
  const given: Batch | Deletions = batch;
  // What is neither a path nor bytes is for its reader to refuse.
  if (!isFileChunk(given) || typeof given.data === "string" || !isIterable(given.data)) return batch;
  const { data } = given;
  return { ...given, data: guardIterable(() => data, origin, operation) };
}

async function* guardIterable<T, R>(
  open: () => AsyncIterable<T, R>,
  origin: Origin,
  operation: Operation,
  each: (value: T) => T = (value) => value,
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
        if (step.done === true) return step.value;
        isOpen = true;
        yield each(step.value);
      }
    } finally {
      // Only a reader that stopped early has anything to close.
      if (isOpen) await iterator.return?.();
    }
  } catch (error) {
    throw pluginFailure(error, origin, operation);
  }
}

function iteratorOf<T, R>(given: AsyncIterable<T, R>, { operation }: Operation): AsyncIterator<T, R> {
  if (isIterable(given)) return given[Symbol.asyncIterator]();
  const advice = operation === "query" ? "" : `; write it as \`async *${operation}(…)\` with \`yield\``;
  throw new TypeError(`it returned ${formatValue(given)}, which is no async iterable${advice}`);
}

async function later<T>(work: () => T | Promise<T>, origin: Origin, operation: Operation): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw pluginFailure(error, origin, operation);
  }
}

function now<T>(work: () => T, origin: Origin, operation: Operation): T {
  try {
    return work();
  } catch (error) {
    throw pluginFailure(error, origin, operation);
  }
}

/** Remembers when what we hand to a plugin fails by itself: that is not the plugin's failure. */
function watched<T>(source: AsyncIterable<T>): {
  readonly iterable: AsyncIterable<T>;
  readonly failure: { readonly error: unknown } | undefined;
  unlessOurs<U>(taken: AsyncIterable<U>): AsyncIterable<U>;
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
  async function* unlessOurs<U>(taken: AsyncIterable<U>) {
    try {
      yield* taken;
    } catch (error) {
      throw failure?.error ?? error;
    }
  }
  return {
    iterable: iterable(),
    unlessOurs,
    get failure() {
      return failure;
    },
  };
}

function isIterable<T, R>(value: Promise<unknown> | AsyncIterable<T, R>): value is AsyncIterable<T, R> {
  const given: unknown = value;
  return typeof given === "object" && given !== null && Symbol.asyncIterator in given;
}

function listOf(found: readonly TableInfo[]): readonly TableInfo[] {
  if (Array.isArray(found)) return found;
  throw new TypeError(`it returned ${formatValue(found)}, which is no list of tables`);
}
