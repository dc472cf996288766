import type { Buffer } from "node:buffer";

import type { RecordBatch } from "apache-arrow";

import { blockingFiles, createHost, endWithParent, silentLog } from "../../base/mod.ts";
import { encodeResult, type DuckDBLimits } from "../../duckdb/mod.ts";
import type { QueryResult } from "../run.ts";
import { openQuerySession, type QuerySession } from "../session.ts";
import { encodeBatches, encodeSchema } from "./batches.ts";
import { dataFrames, FrameReader, messageFrame } from "./frames.ts";
import { Outgoing } from "./outgoing.ts";
import { failedMessage, type FromWorker, type TaskMessage, type ToWorker } from "./protocol.ts";
import { readAhead } from "./read-ahead.ts";
import { ParentCalls } from "./remote/ask.ts";
import { receivedQueries } from "./remote/messages.ts";
import { ParentSources, parentTables } from "./remote/parent-sources.ts";

/**
 * Runs this process as a worker for queries, until its parent ends. Its standard input and output belong to the parent.
 *
 * Programs that are bundled into one file call it when they are started with `workers.command` of `createAgnes`, before
 * anything else. Other programs do not need it.
 *
 * @example
 * ```ts
 * import { createAgnes, runQueryWorker } from "agnes";
 *
 * if (process.argv[2] === "query-worker") await runQueryWorker();
 * const command = [process.execPath, process.argv[1]!, "query-worker"] as const;
 * await using agnes = await createAgnes({ plugins: [], isolation: "process", workers: { command } });
 * console.log(await agnes.rows("SELECT 42 AS answer"));
 * ```
 */
export async function runQueryWorker(): Promise<never> {
  await endWithParent();
  const worker = new WorkerSide();
  const reader = new FrameReader({
    message: (message) => worker.receive(message as ToWorker),
    data: () => {},
    part: (id, bytes) => worker.takePart(id, bytes),
  });
  for await (const bytes of process.stdin) reader.take(bytes as Buffer);
  // `process.exit` would wait for a running query.
  process.kill(process.pid, "SIGKILL");
  return new Promise(() => {});
}

/** The session of a worker process, and its task. */
class WorkerSide {
  #session: QuerySession | null = null;
  #limits: DuckDBLimits = {};
  #running: AbortController | null = null;
  readonly #calls = new ParentCalls(send);
  readonly #sources = new ParentSources(this.#calls);

  takePart(id: number, bytes: Buffer): void {
    this.#calls.takePart(id, bytes);
  }

  receive(message: ToWorker): void {
    switch (message.type) {
      case "open":
        return void this.#open(message);
      case "run":
        return void this.#run(message);
      case "stop":
        this.#running?.abort();
        return this.#calls.close();
      case "reply":
      case "batch":
      case "done":
      case "refused":
      case "job":
        return this.#calls.receive(message);
    }
  }

  async #open({ dataDirectory, limits, home }: Extract<ToWorker, { readonly type: "open" }>): Promise<void> {
    const host = createHost({ env: home === null ? {} : { HOME: home }, files: blockingFiles() });
    this.#limits = limits;
    const attachRefusal = "a worker process attaches no databases of sources";
    this.#session = openQuerySession(
      { host, log: silentLog, limits, attachRefusal },
      { dataDirectory, live: parentTables(this.#calls), sources: this.#sources },
    );
    // The first query then finds the database open. If it cannot be opened, each query reports that.
    await this.#session.catalog().catch(() => {});
    await send({ type: "ready" });
  }

  async #run(message: TaskMessage): Promise<void> {
    const controller = new AbortController();
    this.#running = controller;
    this.#calls.open();
    let last: FromWorker;
    try {
      last = await this.#send(message, controller.signal);
    } catch (error) {
      // The parent kills a process in which the query does not end.
      await this.#session!.settled();
      last = failedMessage(error);
    }
    // After the last message, the parent may send the next query.
    this.#running = null;
    this.#calls.close();
    await send(last);
  }

  /** Sends the rows of a task. Returns the last message, once the task has released everything. */
  async #send(message: TaskMessage, signal: AbortSignal): Promise<FromWorker> {
    const { task, access, limits } = message;
    const session = this.#session!;
    const common = { access: access === null ? null : new Set(access), limits, signal };
    if (task.kind === "describe") {
      return { type: "described", table: await session.describeTable(task.table, common) };
    }
    if (task.kind === "condition")
      return { type: "checked", sql: await session.withCondition({ ...task, signal }) };
    const register = task.kind === "query" ? task.register : null;
    this.#sources.plugins = register?.plugins ?? {};
    const result =
      task.kind === "sample"
        ? await session.sampleTable(task.table, task.rows, { ...common, random: task.random })
        : await session.runQuery({
            ...common,
            sql: task.sql,
            trusted: task.trusted,
            literals: task.literals && new Map(task.literals),
            ...(task.batchRows !== null && { batchRows: task.batchRows }),
            ...(register !== null && { register: receivedQueries(register.queries) }),
          });
    try {
      await this.#sendResult(result, message);
    } finally {
      await result.close();
    }
    return { type: "end", receipt: result.receipt() };
  }

  async #sendResult(result: QueryResult, { format, text = {} }: TaskMessage): Promise<void> {
    const { names } = result;
    const schema = format === null ? encodeSchema(result) : "";
    await outgoing.add(messageFrame({ type: "head", head: { names, schema, receipt: result.receipt() } }));
    const ahead = { ...result, batches: readAhead(result.batches, isSmall) };
    const pieces =
      format === null ? encodeBatches(ahead) : encodeResult(ahead, format, { limits: this.#limits, text });
    for await (const piece of pieces) for (const frame of dataFrames(piece)) await outgoing.add(frame);
  }
}

/** The most bytes of a batch during which the next one is read. The memory of a worker has room for two. */
const AHEAD_BYTES_MAX = 1 << 23;

function isSmall({ data }: RecordBatch): boolean {
  return data.byteLength <= AHEAD_BYTES_MAX;
}

/** Sends a message, after everything before it. */
async function send(message: FromWorker): Promise<void> {
  await outgoing.add(messageFrame(message));
  await outgoing.flush();
}

/** A write ends when the parent can take more bytes. */
const outgoing = new Outgoing(
  (bytes) => new Promise((resolve) => process.stdout.write(bytes, () => resolve())),
);
