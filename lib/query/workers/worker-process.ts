import type { Buffer } from "node:buffer";
import { tmpdir } from "node:os";

import {
  AgnesError,
  DIES_WITH_PARENT,
  endFirstWhenMemoryIsShort,
  setProcessPriority,
  startProcess,
  type ChildProcess,
} from "../../base/mod.ts";
import { FrameReader, messageFrame } from "./frames.ts";
import type { Job } from "./job.ts";
import type { FromWorker, ToWorker } from "./protocol.ts";
import { KnownTables } from "./remote/table-work.ts";

/** How a worker process starts, and whom it informs. */
export interface WorkerStart {
  readonly command: readonly [string, ...string[]];
  /** A folder of its own, for all its temporary files. */
  readonly directory: string;
  readonly open: Extract<ToWorker, { readonly type: "open" }>;
  /** The time that a stopped query has to end before its process is killed. */
  readonly graceMs: number;
  readonly monotonicMs: () => number;
  /** Called when it can take a query, with the duration of the last one in milliseconds; null: it has just started. */
  readonly onIdle: (ranMs: number | null) => void;
  /**
   * Called when its query is going to use a source. Such a query must not run again later.
   * @returns whether it may go on
   */
  readonly onSource: () => boolean;
  /** Called when its process has ended. */
  readonly onEnd: () => void;
}

/** The end of the text on its standard error that is kept. */
const ERROR_TEXT_MAX = 2000;

/** One worker process, as its parent sees it. */
export class WorkerProcess {
  readonly directory: string;
  readonly #start: WorkerStart;
  readonly #child: ChildProcess;
  #state: "starting" | "idle" | "busy" | "stopping" | "ended" = "starting";
  #job: Job | null = null;
  /** The query that it works for, or that it has to stop. */
  #held: { readonly principal: string | null; isLong: boolean } | null = null;
  #begunMs = 0;
  #isSlow = false;
  #killTimer: ReturnType<typeof setTimeout> | undefined;
  #isKilled = false;
  #killedFor: AgnesError | null = null;
  #errorText = "";
  #exit: string | null = null;
  #wasReady = false;
  readonly #tables = new KnownTables();
  /** Resolves when its process has ended. */
  readonly ended: Promise<void>;
  #resolveEnded!: () => void;

  constructor(start: WorkerStart) {
    this.#start = start;
    this.directory = start.directory;
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve));
    this.#child = startProcess(start.command, {
      env: environment(),
      directory: start.directory,
    });
    const child = this.#child;
    // A program that ends without closing its workspace is not kept alive by idle workers.
    for (const handle of [child, child.stdin, child.stdout, child.stderr])
      (handle as { unref?: () => void }).unref?.();
    const reader = new FrameReader({
      message: (message) => this.#receive(message as FromWorker),
      data: (bytes) => this.#take(bytes),
    });
    child.stdout.on("data", (bytes: Buffer) => {
      try {
        reader.take(bytes);
      } catch (error) {
        this.kill(
          error instanceof AgnesError ? error : new AgnesError("worker_lost", { reason: String(error) }),
        );
      }
    });
    child.stderr.on("data", (bytes: Buffer) => {
      this.#errorText = (this.#errorText + bytes.toString()).slice(-ERROR_TEXT_MAX);
    });
    child.stdin.on("error", () => {});
    child.once("error", (error) => this.#ended(error.message));
    child.once("exit", (status, signal) =>
      this.#ended(signal === null ? `exit status ${status}` : `signal ${signal}`),
    );
    if (child.pid !== undefined) endFirstWhenMemoryIsShort(child.pid);
    const { open, directory } = start;
    this.#send({ ...open, limits: { ...open.limits, temporaryDirectory: directory } });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get isIdle(): boolean {
    return this.#state === "idle";
  }

  /** Whether it ever could take a query. */
  get wasReady(): boolean {
    return this.#wasReady;
  }

  /** The query that it works for, or that it has to stop; null: none. */
  get held(): { readonly principal: string | null; readonly isLong: boolean } | null {
    return this.#held;
  }

  /** The query that it works for, and for how long; null: none. */
  get running(): { readonly job: Job; readonly ageMs: number } | null {
    return this.#job === null ? null : { job: this.#job, ageMs: this.#start.monotonicMs() - this.#begunMs };
  }

  /** Why its process ended, and the last lines of its standard error. */
  get end(): { readonly reason: string | null; readonly errorText: string } {
    return { reason: this.#exit, errorText: this.#errorText };
  }

  run(job: Job): void {
    this.#state = "busy";
    this.#job = job;
    this.#held = { principal: job.principal, isLong: job.isLong };
    this.#begunMs = this.#start.monotonicMs();
    job.begin({
      resume: () => this.#child.stdout.resume(),
      stop: () => this.stop(),
      send: (message) => this.#send(message),
      sendBytes: (bytes) => void this.#child.stdin.write(bytes),
      tables: this.#tables,
    });
    // The timer of the job fires first. JSON has no infinite numbers.
    const timeoutMs = Math.min(job.timeoutMs + this.#start.graceMs, Number.MAX_SAFE_INTEGER);
    this.#send({ type: "run", ...job.task, limits: { ...job.task.limits, timeoutMs } });
  }

  /** Lets its query run on for long. */
  keep(): void {
    this.#held!.isLong = true;
    this.#job!.keep();
  }

  /** Runs at a lower priority until its query ends. */
  lowerPriority(): void {
    if (this.#isSlow || this.pid === undefined) return;
    this.#isSlow = setProcessPriority(this.pid, LOW_PRIORITY);
  }

  /** Stops the query, and kills the process if that takes too long. */
  stop(graceMs: number = this.#start.graceMs): void {
    if (this.#state !== "busy") return;
    this.#state = "stopping";
    this.#job = null;
    this.#child.stdout.resume();
    this.#send({ type: "stop" });
    this.#killTimer = setTimeout(() => this.kill(), graceMs);
  }

  /** Ends the process. @param error the error of its query */
  kill(error: AgnesError | null = null): void {
    if (this.#state === "ended") return;
    this.#isKilled = true;
    this.#killedFor ??= error;
    if (this.#state === "idle") this.#state = "stopping";
    this.#child.kill("SIGKILL");
  }

  #send(message: ToWorker): void {
    this.#child.stdin.write(messageFrame(message));
  }

  #take(bytes: Buffer): void {
    if (this.#job !== null && !this.#job.take(bytes)) this.#child.stdout.pause();
  }

  #receive(message: FromWorker): void {
    // Bytes that it wrote before it was killed may arrive later.
    if (this.#state === "ended") return;
    if (message.type === "head") return this.#job?.receive(message);
    if (message.type === "ask" || message.type === "pull" || message.type === "drop") {
      const job = this.#job;
      if (job === null || (job.usesSource(message) && !job.isLong && !this.#start.onSource())) return;
      return job.receive(message);
    }
    clearTimeout(this.#killTimer);
    const ranMs = this.#wasReady ? this.#start.monotonicMs() - this.#begunMs : null;
    this.#wasReady = true;
    // The last bytes may have found no room.
    this.#child.stdout.resume();
    const job = this.#job;
    this.#job = null;
    this.#held = null;
    this.#state = this.#isKilled ? "stopping" : "idle";
    const isUsable = !(message.type === "failed" && message.isFatal) && this.#restorePriority();
    if (!isUsable) this.kill();
    job?.receive(message);
    this.#start.onIdle(ranMs);
  }

  /** @returns whether it has its priority again, which only some users may raise */
  #restorePriority(): boolean {
    if (!this.#isSlow) return true;
    this.#isSlow = false;
    return setProcessPriority(this.pid!, 0);
  }

  #ended(reason: string): void {
    if (this.#state === "ended") return;
    clearTimeout(this.#killTimer);
    this.#state = "ended";
    this.#exit = reason;
    this.#held = null;
    const job = this.#job;
    this.#job = null;
    job?.fail(this.#killedFor ?? new AgnesError("worker_lost", { reason }));
    this.#start.onEnd();
    this.#resolveEnded();
  }
}

const LOW_PRIORITY = 10;

/** The threads of the pool, of which DuckDB uses all but one. */
const POOL_THREADS = 4;

/** The whole environment of a worker process. */
function environment(): Readonly<Record<string, string>> {
  const temporary = tmpdir();
  return {
    ...DIES_WITH_PARENT,
    // An executable may unpack libraries there, once for all processes. Other files are in the folder of the worker.
    ...(process.platform === "win32" ? { TEMP: temporary, TMP: temporary } : { TMPDIR: temporary }),
    UV_THREADPOOL_SIZE: String(POOL_THREADS),
  };
}
