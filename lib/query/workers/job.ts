import type { Buffer } from "node:buffer";

import { abortError, AgnesError, receivedError, startTimer } from "../../base/mod.ts";
import type { TableDescription } from "../catalog.ts";
import type { Receipt } from "../run.ts";
import type { FromWorker, ResultHead, TaskMessage } from "./protocol.ts";
import type { FromAsker } from "./remote/messages.ts";
import { RemoteWork, type Asker } from "./remote/remote-work.ts";
import { ResultBuffer, type BufferSpace } from "./result-buffer.ts";

const WHAT = "the query";

/** The options of a job. */
interface JobOptions {
  /** The caller on whose behalf it runs; null: unknown. */
  readonly principal: string | null;
  /** The time after which it fails, from now until its worker has sent the last row. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly space: BufferSpace;
  /** What it may use of the sources; null: nothing. */
  readonly remote: RemoteWork | null;
}

/** What the worker process of a job does for it. */
interface JobWorker extends Asker {
  /** Sends bytes again after `Job.take` returned false. */
  readonly resume: () => void;
  /** Stops working for it. */
  readonly stop: () => void;
}

/** A query between its caller and the worker process that runs it. */
export class Job {
  readonly task: Omit<TaskMessage, "type">;
  readonly principal: string | null;
  readonly timeoutMs: number;
  /** Resolves when the caller may see the result. */
  readonly started: Promise<ResultHead | TableDescription | string>;
  /** Whether it may keep its worker after its first milliseconds. */
  isLong = false;
  /** Whether it waits for a worker that it may keep, because it uses sources. */
  needsLong: boolean;
  /** Whether it had to leave its worker to others, and waits for one that it may keep. */
  wasStopped = false;
  /** The receipt; null before the worker has sent all rows. */
  receipt: Receipt | null = null;
  readonly #options: JobOptions;
  #buffer: ResultBuffer;
  #resolve!: (head: ResultHead | TableDescription | string) => void;
  #reject!: (error: unknown) => void;
  #head: ResultHead | null = null;
  #isEnded = false;
  #worker: JobWorker | null = null;
  readonly #stopTimer: () => void;
  readonly #onAbort = () => this.fail(abortError(this.#options.signal!, WHAT));

  constructor(task: Omit<TaskMessage, "type">, options: JobOptions) {
    this.task = task;
    this.principal = options.principal;
    this.timeoutMs = options.timeoutMs;
    this.needsLong = task.task.kind === "query" && task.task.register !== null;
    this.#options = options;
    this.#buffer = this.#newBuffer();
    this.started = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.started.catch(() => {});
    const { timeoutMs, signal } = options;
    this.#stopTimer = startTimer(timeoutMs, () =>
      this.fail(new AgnesError("timed_out", { what: WHAT, timeoutMs })),
    );
    if (signal?.aborted === true) this.#onAbort();
    else signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Whether it needs no worker any more. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Begins on a worker. */
  begin(worker: JobWorker): void {
    this.#worker = worker;
    this.#options.remote?.begin(worker);
  }

  /** Whether a message of its worker requests something of a source. */
  usesSource(message: FromAsker): boolean {
    return RemoteWork.usesSource(message);
  }

  /** Takes a message of its worker. */
  receive(message: FromWorker): void {
    switch (message.type) {
      case "ready":
        return;
      case "ask":
      case "pull":
      case "drop":
        return this.#options.remote?.receive(message);
      case "head":
        this.#head = message.head;
        if (this.isLong) this.#resolve(message.head);
        return;
      case "described":
        this.#end();
        this.#ignoreAbort();
        return this.#resolve(message.table);
      case "checked":
        this.#end();
        this.#ignoreAbort();
        return this.#resolve(message.sql);
      case "end":
        this.receipt = message.receipt;
        this.#end();
        this.#buffer.end();
        return this.#resolve(this.#head!);
      case "failed":
        return this.fail(receivedError(message.error));
    }
  }

  /** Takes bytes of its worker. @returns whether there is room for more */
  take(bytes: Buffer): boolean {
    return this.#buffer.write(bytes);
  }

  /** Lets it keep its worker. */
  keep(): void {
    this.isLong = true;
    if (this.#head !== null) this.#resolve(this.#head);
  }

  /** Discards the bytes that its caller has not seen, to run again. */
  reset(): void {
    this.#worker = null;
    this.#options.remote?.leave();
    this.wasStopped = !this.needsLong;
    this.#head = null;
    this.#buffer.close(null);
    this.#buffer = this.#newBuffer();
  }

  /** Ends it with an error for its caller, who gets no more bytes. */
  fail(cause: unknown): void {
    const error = this.#isEnded ? cause : (this.#options.remote?.stopped(cause) ?? cause);
    this.#buffer.close(error);
    this.#ignoreAbort();
    if (this.#isEnded) return;
    const worker = this.#worker;
    this.#end();
    this.#reject(error);
    worker?.stop();
  }

  /** Ends it for a caller that reads no more. */
  close(): void {
    // An error, with its stack, takes longer than the rest of the end.
    if (this.#isEnded && this.#buffer.isClosed) return this.#ignoreAbort();
    this.fail(new AgnesError("aborted", { what: WHAT }));
  }

  /** The bytes of the result. */
  async *pieces(): AsyncGenerator<Buffer, void, void> {
    try {
      for (;;) {
        const bytes = await this.#buffer.next();
        if (bytes === null) return;
        yield bytes;
      }
    } finally {
      this.close();
    }
  }

  #end(): void {
    this.#isEnded = true;
    this.#worker = null;
    this.#options.remote?.close();
    this.#stopTimer();
  }

  #ignoreAbort(): void {
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
  }

  #newBuffer(): ResultBuffer {
    return new ResultBuffer(
      this.#options.space,
      () => this.#worker?.resume(),
      (error) => this.fail(error),
    );
  }
}
