import {
  AgnesError,
  isAgnesError,
  isSentError,
  receivedError,
  sentError,
  type LogEntry,
} from "../../base/mod.ts";
import type { ExtractProgress } from "../../extract/mod.ts";
import type { ProfileOutcome } from "../../profile/mod.ts";
import type { WorkspaceConfig } from "../../workspace/mod.ts";
import type { HealthResult } from "../health/health-records.ts";
import type { SourceReport } from "../report.ts";

/** The workspace of a task. Secrets are not in it: the process has them in its environment. */
export interface TaskWorkspace {
  readonly directory: string;
  readonly dataDirectory: string;
  readonly config: WorkspaceConfig;
  /** See `SyncProcessOptions`. */
  readonly plugins: readonly string[];
}

/** Runs a source. */
export interface SourceTask {
  readonly kind: "source";
  readonly source: string;
  readonly runId: string;
  readonly only: readonly string[] | null;
  readonly full: boolean;
  /** The author of changes to the registry. */
  readonly actor: string;
}

/** Updates the profiles of tables; see `ProfileUpdates`. */
export interface ProfilesTask {
  readonly kind: "profiles";
  /** The ids of the tables. */
  readonly tables: readonly string[];
  readonly timeoutMs: number;
}

/** Checks the health of sources; see `checkSource`. */
export interface HealthTask {
  readonly kind: "health";
  readonly sources: readonly string[];
}

/** What a process has to do. */
export type ProcessTask = SourceTask | ProfilesTask | HealthTask;

/** A message to a process. */
export type ToProcess =
  | { readonly type: "task"; readonly task: ProcessTask; readonly workspace: TaskWorkspace }
  /** It is its turn to register tables; see `RegistrationTurn`. */
  | { readonly type: "turn" };

/** A message of a process. */
export type FromProcess =
  | { readonly type: "progress"; readonly progress: ExtractProgress }
  /** It got something from its source, which is no progress of a table. */
  | { readonly type: "active" }
  /** It began with a table, or a source, of a task with several. */
  | { readonly type: "begun"; readonly name: string }
  | { readonly type: "profiled"; readonly outcome: ProfileOutcome }
  | { readonly type: "checked"; readonly result: HealthResult }
  | { readonly type: "log"; readonly entry: LogEntry }
  /** It waits for its turn to register tables. */
  | { readonly type: "turn" }
  | { readonly type: "registered" }
  | { readonly type: "report"; readonly report: SourceReport }
  /** It did its task, and has sent all results. */
  | { readonly type: "done" }
  | { readonly type: "failed"; readonly error: AgnesError };

/**
 * The first character of a message, which JSON never contains: a JSON text sequence (RFC 7464). Text that a connector wrote
 * to the same stream is thus no message.
 */
const MARK = "\u001e";

/** The longest message. A report has a few hundred bytes for each table. */
const MESSAGE_LENGTH_MAX = 1 << 26;

/** A longer line of a connector is cut off: two pieces of a secret in two log entries would not be found. */
const TEXT_LENGTH_MAX = 8192;

/** Values that JSON lacks are objects with one of these keys. */
const TAGS = { error: "\u0000error", date: "\u0000date", integer: "\u0000integer" } as const;

/** Returns the line of a message. */
export function messageLine(message: ToProcess | FromProcess): string {
  return `${MARK}${JSON.stringify(message, sentValue)}\n`;
}

/** `JSON.stringify` calls it with the object that has the value, because the value may already be converted. */
function sentValue(this: unknown, key: string, converted: unknown): unknown {
  const value = (this as Record<string, unknown>)[key];
  if (value instanceof AgnesError) return { [TAGS.error]: sentError(value) };
  if (value instanceof Date) return { [TAGS.date]: value.getTime() };
  if (typeof value === "bigint") return { [TAGS.integer]: String(value) };
  return converted;
}

function receivedValue(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const tagged = value as Readonly<Record<string, unknown>>;
  if (TAGS.error in tagged) {
    const sent = tagged[TAGS.error];
    if (!isSentError(sent)) throw unreadable("an error has another form");
    return receivedError(sent);
  }
  if (TAGS.date in tagged) return new Date(tagged[TAGS.date] as number);
  if (TAGS.integer in tagged) return BigInt(tagged[TAGS.integer] as string);
  return value;
}

/** What `MessageReader` calls for each line. */
interface LineHandlers<M> {
  readonly message: (message: M) => void;
  /** Receives text that is no message, without its end of line. */
  readonly text: (text: string) => void;
}

/** Splits a stream into messages and the text of others. */
export class MessageReader<M extends ToProcess | FromProcess> {
  readonly #handlers: LineHandlers<M>;
  readonly #decoder = new TextDecoder();
  #rest = "";
  /** Whether the rest has a message. */
  #isMessage = false;

  constructor(handlers: LineHandlers<M>) {
    this.#handlers = handlers;
  }

  /** Takes the next bytes of the stream. @throws `internal` for a message that cannot be read */
  take(bytes: Uint8Array): void {
    const [first, ...lines] = this.#decoder.decode(bytes, { stream: true }).split("\n");
    this.#add(first!);
    for (const line of lines) {
      this.#endLine();
      this.#add(line);
    }
    if (this.#isMessage) {
      if (this.#rest.length > MESSAGE_LENGTH_MAX) throw unreadable("it is too long");
    } else this.#rest = this.#rest.slice(0, TEXT_LENGTH_MAX + 1);
  }

  /** Passes on the text after the last line. A message without its end is ignored: its process was killed. */
  end(): void {
    this.#rest = this.#rest.split(MARK)[0]!;
    if (this.#rest !== "") this.#endLine();
  }

  #add(text: string): void {
    this.#rest += text;
    this.#isMessage ||= text.includes(MARK);
  }

  #endLine(): void {
    const line = this.#rest;
    this.#rest = "";
    this.#isMessage = false;
    const at = line.lastIndexOf(MARK);
    const text = at === -1 ? line : line.slice(0, at);
    const isCut = text.length > TEXT_LENGTH_MAX;
    if (text !== "") this.#handlers.text(isCut ? `${text.slice(0, TEXT_LENGTH_MAX)}…` : text);
    if (at !== -1) this.#handlers.message(parsed(line.slice(at + 1)) as M);
  }
}

function parsed(json: string): unknown {
  let message: unknown;
  try {
    message = JSON.parse(json, receivedValue);
  } catch (error) {
    throw isAgnesError(error) ? error : unreadable("it is not JSON");
  }
  if (typeof message !== "object" || message === null || !("type" in message))
    throw unreadable("it has no type");
  return message;
}

/** The error of a message that cannot be read. */
export function unreadable(reason: string): AgnesError {
  return new AgnesError("internal", { what: `a message of a process cannot be read: ${reason}` });
}
