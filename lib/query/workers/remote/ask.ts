import { Buffer } from "node:buffer";

import type { RecordBatch } from "apache-arrow";

import { AgnesError, raceAbort, receivedError } from "../../../base/mod.ts";
import type { SourceJob } from "../../../kit/mod.ts";
import { receivedBatches, type Ask, type FromAsker, type ToAsker } from "./messages.ts";

interface Call {
  readonly parts: Buffer[];
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

/** The options of a request. */
interface AskOptions {
  readonly signal?: AbortSignal;
  /** Receives the jobs of the source. */
  readonly onJob?: ((job: SourceJob) => void) | undefined;
}

/** Asks the parent of this worker process for what it needs of the sources. */
export class ParentCalls {
  readonly #send: (message: FromAsker) => Promise<void>;
  readonly #calls = new Map<number, Call>();
  readonly #onJob = new Map<number, (job: SourceJob) => void>();
  #lastId = 0;
  /** Whether a query runs, which can ask. */
  #isOpen = false;

  constructor(send: (message: FromAsker) => Promise<void>) {
    this.#send = send;
  }

  /** Begins a query. */
  open(): void {
    this.#isOpen = true;
    this.#onJob.clear();
  }

  /** Ends a query. Its requests fail. */
  close(): void {
    this.#isOpen = false;
    for (const call of this.#calls.values()) call.reject(stopped());
    this.#calls.clear();
  }

  receive(message: ToAsker): void {
    const { id } = message;
    if (message.type === "job") return this.#onJob.get(id)?.(message.job);
    const call = this.#calls.get(id);
    switch (message.type) {
      case "reply":
        return call?.resolve(message.value);
      case "batch":
        return call?.resolve(Buffer.concat(call.parts.splice(0)));
      case "done":
        return call?.resolve(null);
      case "refused":
        return call?.reject(receivedError(message.error));
    }
  }

  takePart(id: number, bytes: Buffer): void {
    this.#calls.get(id)?.parts.push(bytes);
  }

  /** @throws the error of the parent */
  async ask<T>(ask: Ask, options: AskOptions = {}): Promise<T> {
    const id = this.#begin(options);
    try {
      return (await this.#exchange(id, { type: "ask", id, ask }, options.signal)) as T;
    } finally {
      this.#end(id);
    }
  }

  /** Asks for rows. The batches must be read, or the query must end. */
  async rows<T>(
    ask: Ask,
    options: AskOptions & { readonly signal: AbortSignal },
  ): Promise<{ readonly value: T; readonly batches: AsyncGenerator<RecordBatch, void, void> }> {
    const id = this.#begin(options);
    try {
      const value = (await this.#exchange(id, { type: "ask", id, ask }, options.signal)) as T;
      return { value, batches: this.#batches(id, options.signal) };
    } catch (error) {
      this.#end(id);
      throw error;
    }
  }

  async *#batches(id: number, signal: AbortSignal): AsyncGenerator<RecordBatch, void, void> {
    try {
      for (;;) {
        const bytes = await this.#exchange(id, { type: "pull", id }, signal);
        if (bytes === null) return;
        yield* receivedBatches(bytes as Buffer);
      }
    } finally {
      this.#end(id);
    }
  }

  #begin({ onJob }: AskOptions): number {
    this.#lastId += 1;
    if (onJob !== undefined) this.#onJob.set(this.#lastId, onJob);
    this.#calls.set(this.#lastId, { parts: [], resolve: () => {}, reject: () => {} });
    return this.#lastId;
  }

  async #exchange(id: number, message: FromAsker, signal?: AbortSignal): Promise<unknown> {
    const call = this.#calls.get(id);
    if (!this.#isOpen || call === undefined) throw stopped();
    const replied = new Promise<unknown>((resolve, reject) => Object.assign(call, { resolve, reject }));
    // The reply may come after the signal.
    replied.catch(() => {});
    void this.#send(message);
    return signal === undefined ? replied : raceAbort(replied, signal, "the query");
  }

  #end(id: number): void {
    if (!this.#calls.delete(id) || !this.#isOpen) return;
    void this.#send({ type: "drop", id });
  }
}

function stopped(): AgnesError {
  return new AgnesError("aborted", { what: "the query" });
}
