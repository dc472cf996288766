import type { RecordBatch } from "apache-arrow";

import { AgnesError, isAgnesError, sentError } from "../../../base/mod.ts";
import type { SourceJob } from "../../../kit/mod.ts";
import { JobList, withStoppedJobs, type LiveResolver } from "../../../sources/mod.ts";
import { visibleRecords } from "../../hybrid/open-hybrid.ts";
import { withAwaited } from "../../run.ts";
import { partFrames } from "../frames.ts";
import { AliasWork, unexpected, type AliasServices } from "./alias-work.ts";
import {
  receivedKeys,
  sentBatch,
  sentEstimate,
  sentRecord,
  sentRequest,
  sentSchema,
  type Ask,
  type FromAsker,
  type ToAsker,
} from "./messages.ts";
import { TableWork, type KnownTables } from "./table-work.ts";

/** What a worker may ask for at once. */
const CALLS_MAX = 1000;

/** What one query may use of the sources. */
export interface RemoteOptions extends AliasServices {
  readonly live: LiveResolver;
  /** The ids of the remote tables that the caller may access. */
  readonly accessible: () => Promise<ReadonlySet<string>>;
  /** Receives the end of the work in the sources. */
  readonly onEnding: (ending: Promise<void>) => void;
}

/** The worker process of a query. */
export interface Asker {
  readonly send: (message: ToAsker) => void;
  readonly sendBytes: (bytes: Buffer) => void;
  readonly tables: KnownTables;
}

interface Call {
  readonly stop: AbortController;
  rows: AsyncIterator<RecordBatch> | null;
  isBusy: boolean;
}

/**
 * Does what a query in a worker process asks for in the sources, of which the worker has no secrets. A request is checked as if
 * the worker ran the code of its caller.
 */
export class RemoteWork {
  readonly #options: RemoteOptions;
  readonly #aliases: AliasWork;
  readonly #jobs = new JobList();
  readonly #calls = new Map<number, Call>();
  #accessible: Promise<ReadonlySet<string>> | null = null;
  #asker: Asker | null = null;
  #tables: TableWork | null = null;
  /** The names of the aliases while their sources are used. */
  #waitsForAliases = false;
  readonly #waitsFor = new Set<string>();
  #isClosed = false;

  constructor(options: RemoteOptions) {
    this.#options = options;
    this.#aliases = new AliasWork(options);
  }

  /** Whether a request uses a source, so that the query must not run again. */
  static usesSource({ type, ...message }: FromAsker): boolean {
    return type === "ask" && (message as { readonly ask: Ask }).ask.kind !== "tables";
  }

  begin(asker: Asker): void {
    this.#asker = asker;
    this.#tables = new TableWork(this.#options.live, asker.tables, () => this.#accessibleTables());
  }

  /** Takes a message of the worker. */
  receive(message: FromAsker): void {
    if (this.#isClosed) return;
    const { id } = message;
    switch (message.type) {
      case "ask": {
        if (this.#calls.has(id) || this.#calls.size >= CALLS_MAX)
          return this.#refuse(id, unexpected("too much"));
        const call: Call = { stop: new AbortController(), rows: null, isBusy: true };
        this.#calls.set(id, call);
        return void this.#reply(id, call, message.ask);
      }
      case "pull":
        return void this.#sendBatch(id);
      case "drop":
        return this.#drop(id);
    }
  }

  /** Returns the error of a stopped query, with what it waited for and the jobs that were stopped. */
  stopped(error: unknown): unknown {
    if (!isAgnesError(error, "timed_out") && !isAgnesError(error, "aborted")) return error;
    return withStoppedJobs(withAwaited(error, this.#awaited), this.#jobs);
  }

  /** Forgets a worker, for another. */
  leave(): void {
    for (const id of this.#calls.keys()) this.#drop(id);
    this.#asker = null;
  }

  /** Stops all work in the sources. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.leave();
    this.#options.onEnding(this.#aliases.close());
  }

  get #awaited(): string | null {
    const names = Object.keys(this.#options.register);
    if (this.#waitsForAliases)
      return `${names.length === 1 ? "the alias" : "the aliases"} ${names.join(", ")}`;
    const [table] = this.#waitsFor;
    return table === undefined ? null : `the remote table ${table}`;
  }

  #accessibleTables(): Promise<ReadonlySet<string>> {
    this.#accessible ??= this.#options.accessible();
    return this.#accessible;
  }

  async #reply(id: number, call: Call, ask: Ask): Promise<void> {
    const onJob = (job: SourceJob) => {
      this.#jobs.onJob(job);
      this.#asker?.send({ type: "job", id, job });
    };
    try {
      const value = await this.#perform(ask, call, onJob);
      call.isBusy = false;
      if (this.#calls.get(id) !== call) return;
      if (call.rows === null) this.#calls.delete(id);
      this.#asker?.send({ type: "reply", id, value });
    } catch (error) {
      this.#fail(id, call, error);
    }
  }

  async #perform(ask: Ask, call: Call, onJob: (job: SourceJob) => void): Promise<unknown> {
    const { signal } = call.stop;
    const { access, sources, user } = this.#options;
    const tables = this.#tables!;
    switch (ask.kind) {
      case "tables":
        return visibleRecords(await sources.tables(), access).map(sentRecord);
      case "resolve": {
        const id = `${ask.source}.${ask.name}`;
        this.#waitsFor.add(id);
        try {
          return await tables.resolve(ask.source, ask.name);
        } finally {
          this.#waitsFor.delete(id);
        }
      }
      case "narrow":
        return sentRequest((await tables.narrow(ask.table, ask.request)).request);
      case "read": {
        const { live, request } = await tables.narrow(ask.table, ask.request);
        call.rows = live.open(request, signal, { user, onJob })[Symbol.asyncIterator]();
        return null;
      }
      case "open":
        this.#waitsForAliases = true;
        await this.#aliases.open(ask.alias, signal);
        return null;
      case "estimate": {
        const keys = ask.keys === null ? null : receivedKeys(ask.keys);
        return sentEstimate(await this.#aliases.estimate(ask.alias, keys, signal));
      }
      case "run": {
        const { schema, batches } = await this.#aliases.run(ask.alias, signal, onJob);
        call.rows = batches[Symbol.asyncIterator]();
        return sentSchema(schema);
      }
      case "close":
        this.#waitsForAliases = false;
        await this.#aliases.close();
        return null;
      default:
        throw unexpected("something unknown");
    }
  }

  async #sendBatch(id: number): Promise<void> {
    const call = this.#calls.get(id);
    // The call may have failed or been dropped meanwhile.
    if (call === undefined) return;
    if (call.rows === null || call.isBusy) return this.#fail(id, call, unexpected("two batches at once"));
    call.isBusy = true;
    try {
      const step = await call.rows.next();
      call.isBusy = false;
      if (this.#calls.get(id) !== call) return;
      if (step.done === true) {
        this.#calls.delete(id);
        return this.#asker?.send({ type: "done", id });
      }
      for (const frame of partFrames(id, sentBatch(step.value))) this.#asker?.sendBytes(frame);
      this.#asker?.send({ type: "batch", id });
    } catch (error) {
      this.#fail(id, call, error);
    }
  }

  #drop(id: number): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    this.#calls.delete(id);
    call.stop.abort(new AgnesError("aborted", { what: "the query" }));
    call.rows?.return?.().catch(() => {});
  }

  #fail(id: number, call: Call, error: unknown): void {
    if (this.#calls.get(id) !== call) return;
    this.#calls.delete(id);
    call.stop.abort(new AgnesError("aborted", { what: "the query" }));
    this.#refuse(id, error);
  }

  #refuse(id: number, error: unknown): void {
    this.#asker?.send({ type: "refused", id, error: sentError(error) });
  }
}
