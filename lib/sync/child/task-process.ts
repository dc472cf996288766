import type { Buffer } from "node:buffer";

import {
  createLog,
  DIES_WITH_PARENT,
  endFirstWhenMemoryIsShort,
  isAgnesError,
  messageOf,
  processesOver,
  processMark,
  signalProcess,
  startProcess,
  startTimer,
  type ChildProcess,
  type Host,
  type Log,
} from "../../base/mod.ts";
import type { Workspace } from "../../workspace/mod.ts";
import { checkMessage } from "./check-message.ts";
import {
  messageLine,
  MessageReader,
  type FromProcess,
  type ProcessTask,
  type ToProcess,
} from "./messages.ts";
import type { SyncProcessSettings } from "./settings.ts";

/** How often the memory and the progress of a process are looked at. Outside Linux, `ps` runs each time. */
const WATCH_MS = process.platform === "linux" ? 50 : 1000;

/** How long a process may take to end after its last message, and its output after its end. */
const END_MS = 5000;
const OUTPUT_MS = 1000;

/** How much later than the process itself its parent enforces a time limit of its task. */
const TIMEOUT_MARGIN_MS = 2000;

/** The services that a parent of processes uses. */
export interface ParentServices {
  readonly host: Host;
  readonly log: Log;
  readonly workspace: Workspace;
}

/** A task for a process of its own, and its limits. */
export interface TaskRequest {
  readonly task: ProcessTask;
  /** What the process works for, in the log: `source crm`. */
  readonly subject: string;
  /** The sources, or the tables, of the task. */
  readonly names: ReadonlySet<string>;
  /** Values that no output of the process may have. */
  readonly secrets: ReadonlySet<string>;
  /** Above it the process is killed. */
  readonly memoryMb: number;
  /** The time without a message after which the process is stopped; null: any. */
  readonly stalledMs: number | null;
  /** The time limit of the task; null: none. */
  readonly timeoutMs: number | null;
  readonly signal?: AbortSignal | undefined;
  /** Takes a message; `send` replies to it. */
  receive(message: FromProcess, send: (message: ToProcess) => void): void;
}

/** Why a process ended. It matters only if its results are missing. */
export type ProcessEnd =
  | { readonly cause: "memory"; readonly limitMb: number }
  | { readonly cause: "stalled"; readonly stalledMs: number }
  | { readonly cause: "timeout"; readonly timeoutMs: number }
  /** It ended by itself, for example `signal SIGSEGV`, or its caller stopped it. */
  | { readonly cause: "ended"; readonly reason: string };

/**
 * Runs a task in a process of its own, which is killed if it uses too much memory, makes no progress or does not stop.
 * Resolves when the process has ended, and all its output was read. Never throws.
 */
export async function runInProcess(
  services: ParentServices,
  settings: SyncProcessSettings,
  request: TaskRequest,
): Promise<ProcessEnd> {
  const { signal } = request;
  let started: TaskProcess;
  try {
    started = new TaskProcess(services, settings, request);
  } catch (error) {
    // Some failures to start a process are thrown, such as an environment that is too long.
    return { cause: "ended", reason: messageOf(error) };
  }
  const abort = () => started.stop(null);
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted === true) abort();
  try {
    return await started.ended;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

class TaskProcess {
  readonly #services: ParentServices;
  readonly #settings: SyncProcessSettings;
  readonly #request: TaskRequest;
  readonly #mark = processMark();
  readonly #child: ChildProcess;
  readonly #log: Log;
  /** Why it was stopped, unless by its caller. */
  #stopped: ProcessEnd | null = null;
  #activeMs: number;
  #isLooking = false;
  readonly #cancels: (() => void)[] = [];
  readonly ended: Promise<ProcessEnd>;

  constructor(services: ParentServices, settings: SyncProcessSettings, request: TaskRequest) {
    this.#services = services;
    this.#settings = settings;
    this.#request = request;
    const { host, log } = services;
    this.#log = createLog(({ level, message, fields }) => log[level](message, fields), request.secrets);
    this.#activeMs = host.monotonicMs();
    this.#child = startProcess(settings.command, {
      env: { ...definedOf(host.env), ...DIES_WITH_PARENT, ...this.#mark.env },
      directory: process.cwd(),
      isGroup: true,
    });
    this.ended = this.#ended();
    this.#read();
    this.#watch();
    const { directory, dataDirectory, config } = services.workspace;
    const workspace = { directory, dataDirectory, config, plugins: settings.plugins };
    this.#send({ type: "task", task: request.task, workspace });
  }

  /** Lets the task end by itself, and kills its process if that takes too long. @param why null: its caller wants it */
  stop(why: ProcessEnd | null): void {
    this.#stopped ??= why;
    this.#signal("SIGTERM");
    this.#cancels.push(startTimer(this.#settings.graceMs, () => this.#signal("SIGKILL")));
  }

  #kill(why: ProcessEnd): void {
    this.#stopped ??= why;
    this.#signal("SIGKILL");
  }

  #signal(signal: "SIGTERM" | "SIGKILL"): void {
    if (this.#child.pid !== undefined) signalProcess(this.#child.pid, signal);
  }

  async #ended(): Promise<ProcessEnd> {
    const child = this.#child;
    const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
    const reason = await new Promise<string>((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("exit", (status, signal) =>
        resolve(signal === null ? `exit status ${status}` : `signal ${signal}`),
      );
    });
    for (const cancel of this.#cancels.splice(0)) cancel();
    // What it started, which may hold its output open.
    this.#signal("SIGKILL");
    this.#mark.kill();
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, OUTPUT_MS))]);
    return this.#stopped ?? { cause: "ended", reason };
  }

  #read(): void {
    const { stdin, stdout, stderr } = this.#child;
    const { names, subject } = this.#request;
    stdin.on("error", () => {});
    for (const stream of [stdout, stderr]) {
      const reader = new MessageReader<FromProcess>({
        message: (message) => this.#receive(checkMessage(names, message)),
        text: (text) => {
          if (text.trim() !== "") this.#log.info(`output of ${subject}: ${text}`);
        },
      });
      stream.on("data", (bytes: Buffer) => {
        try {
          reader.take(bytes);
        } catch (error) {
          const reason = isAgnesError(error, "internal") ? error.details.what : String(error);
          this.#kill({ cause: "ended", reason });
        }
      });
      stream.on("end", () => reader.end());
    }
  }

  #receive(message: FromProcess): void {
    this.#activeMs = this.#services.host.monotonicMs();
    if (message.type === "log") {
      const { level, message: text, fields } = message.entry;
      return this.#log[level](text, fields);
    }
    if (["report", "failed", "done"].includes(message.type)) this.#expectEnd();
    this.#request.receive(message, (reply) => this.#send(reply));
  }

  /** A connector may have left work that keeps its process. */
  #expectEnd(): void {
    this.#cancels.push(startTimer(END_MS, () => this.#signal("SIGKILL")));
  }

  #watch(): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    endFirstWhenMemoryIsShort(pid);
    const watch = setInterval(() => void this.#look(pid), WATCH_MS);
    this.#cancels.push(() => clearInterval(watch));
    const { timeoutMs } = this.#request;
    if (timeoutMs === null) return;
    const why = { cause: "timeout", timeoutMs } as const;
    this.#cancels.push(startTimer(timeoutMs + TIMEOUT_MARGIN_MS, () => this.stop(why)));
  }

  async #look(pid: number): Promise<void> {
    const { stalledMs, memoryMb: limitMb } = this.#request;
    const quietMs = this.#services.host.monotonicMs() - this.#activeMs;
    if (this.#stopped === null && stalledMs !== null && quietMs > stalledMs)
      this.stop({ cause: "stalled", stalledMs });
    if (this.#isLooking) return;
    this.#isLooking = true;
    const over = await processesOver([pid], limitMb);
    this.#isLooking = false;
    if (over.has(pid)) this.#kill({ cause: "memory", limitMb });
  }

  #send(message: ToProcess): void {
    this.#child.stdin.write(messageLine(message));
  }
}

function definedOf(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
