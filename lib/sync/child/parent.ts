import { Console } from "node:console";
import { Writable } from "node:stream";

import { createLog, raceAbort, type Host, type Log } from "../../base/mod.ts";
import type { RegistrationTurn } from "../registration-order.ts";
import {
  messageLine,
  MessageReader,
  type FromProcess,
  type ProcessTask,
  type TaskWorkspace,
  type ToProcess,
} from "./messages.ts";

/** The most often that the parent is informed of work that is no progress of a table. */
const ACTIVE_EVERY_MS = 1000;

/** What a process has to do, and in which workspace. */
interface Assignment {
  readonly task: ProcessTask;
  readonly workspace: TaskWorkspace;
}

/** The parent of a process, as the process sees it. */
export interface TaskParent {
  /** What to do. It never resolves if the parent ends first; the process then ends too. */
  readonly assignment: Promise<Assignment>;
  /** Aborts when the parent stops the run. */
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly registration: RegistrationTurn;
  readonly send: (message: FromProcess) => void;
  /** Returns the host, whose responses and files count as progress. */
  watched(host: Host): Host;
  /** Sends the last message and ends the process. */
  end(message: FromProcess): Promise<never>;
}

/** Plugins may replace them. */
const exit: (status: number) => never = process.exit.bind(process);

/**
 * Takes the standard streams of this process for its parent. Whatever else is written to stdout or the console goes to stderr.
 *
 * @param secrets values that no log entry may have; read for each entry
 */
export function takeParent(secrets: Iterable<string>): TaskParent {
  const [writeOut, writeErr] = [writerOf(process.stdout), writerOf(process.stderr)];
  giveStdout();
  const send = (message: FromProcess) => void writeOut(messageLine(message), () => {});
  const controller = new AbortController();
  process.on("SIGTERM", () => controller.abort());
  let startTask: (assignment: Assignment) => void;
  const assignment = new Promise<Assignment>((resolve) => (startTask = resolve));
  let startTurn = () => {};
  const turn = new Promise<void>((resolve) => (startTurn = resolve));
  const reader = new MessageReader<ToProcess>({
    message(message) {
      if (message.type === "task") startTask(message);
      else startTurn();
    },
    text: () => {},
  });
  process.stdin.on("data", (bytes: Uint8Array) => reader.take(bytes));
  process.stdin.on("end", () => exit(1));
  let isRegistered = false;
  return {
    assignment,
    signal: controller.signal,
    log: createLog((entry) => writeErr(messageLine({ type: "log", entry }), () => {}), secrets),
    registration: {
      async begin(signal) {
        send({ type: "turn" });
        await raceAbort(turn, signal, "the wait for other sources").catch(() => {});
      },
      end() {
        if (!isRegistered) send({ type: "registered" });
        isRegistered = true;
      },
    },
    send,
    watched: (host) => watchedHost(host, send),
    async end(message) {
      await new Promise<void>((resolve) => writeOut(messageLine(message), () => resolve()));
      return exit(0);
    },
  };
}

type Write = (text: string, done: () => void) => unknown;

function writerOf(stream: NodeJS.WriteStream): Write {
  stream.on("error", () => {});
  return stream.write.bind(stream) as Write;
}

/** Lets `process.stdout` and the console write to stderr. */
function giveStdout(): void {
  const { stdout, stderr } = process;
  stdout.write = stderr.write.bind(stderr);
  // In Bun, the console writes to the file descriptor of stdout.
  const toStderr = new Writable({
    write(data: Uint8Array, _encoding, done) {
      stderr.write(data, () => done());
    },
  });
  globalThis.console = Object.assign(new Console({ stdout: toStderr, stderr: toStderr }), {
    // Only Bun has it.
    write(...parts: readonly (string | ArrayBuffer | ArrayBufferView)[]) {
      for (const part of parts) {
        const isText = typeof part === "string";
        stderr.write(isText ? part : ArrayBuffer.isView(part) ? bytesOf(part) : new Uint8Array(part));
      }
      return parts.length;
    },
  });
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** A response of the source and each use of a file is progress, but no timer is. */
function watchedHost(host: Host, send: (message: FromProcess) => void): Host {
  let sentMs = Number.NEGATIVE_INFINITY;
  const active = () => {
    const now = host.monotonicMs();
    if (now - sentMs < ACTIVE_EVERY_MS) return;
    sentMs = now;
    send({ type: "active" });
  };
  const fetch = async (...request: Parameters<Host["fetch"]>) => {
    const response = await host.fetch(...request);
    active();
    return response;
  };
  const files = new Proxy(host.files, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      return (...given: unknown[]): unknown => {
        active();
        return Reflect.apply(member, target, given);
      };
    },
  });
  return { ...host, fetch: Object.assign(fetch, host.fetch), files };
}
