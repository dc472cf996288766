import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { CommandRequest } from "./command-server.ts";

const MAIN = join(import.meta.dir, "..", "..", "cmd", "main.ts");
const SERVER = join(import.meta.dir, "command-server.ts");

/** What a run of the command line gave. */
export interface CliResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunOptions {
  readonly cwd: string;
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether the command gets a process of its own, as it must when another one runs. Default: when it has stdin. */
  readonly alone?: boolean;
}

let isEveryoneAlone = false;

/**
 * Gives each command from now on a process of its own, or, with `false`, no longer; `npm run test:full` runs the tests of
 * `npm test` like this.
 */
export function runEveryCommandAlone(isAlone = true): void {
  isEveryoneAlone = isAlone;
}

/** Runs the command line from source, in a process that it shares with other commands: to start one takes longer. */
export async function runCli(args: readonly string[], options: RunOptions): Promise<CliResult> {
  const env = { HOME: process.env["HOME"] ?? tmpdir(), PATH: process.env["PATH"] ?? "", ...options.env };
  if (!isEveryoneAlone && options.alone !== true && options.stdin === undefined)
    return runOnServer({ args, cwd: options.cwd, env });
  const child = Bun.spawn([process.execPath, MAIN, ...args], {
    cwd: options.cwd,
    stdin: options.stdin === undefined ? "ignore" : new TextEncoder().encode(options.stdin),
    stdout: "pipe",
    stderr: "pipe",
    env,
  });
  const [stdout, stderr, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { status, stdout, stderr };
}

let server: ReturnType<typeof startServer> | undefined;
/** Ends when the last command did: the server runs one at a time. */
let queue: Promise<unknown> = Promise.resolve();

function runOnServer(request: CommandRequest): Promise<CliResult> {
  const result = queue.then(() => (server ??= startServer())(request));
  queue = result.catch(() => {});
  return result;
}

function startServer(): (request: CommandRequest) => Promise<CliResult> {
  let answered: ((result: CliResult) => void) | undefined;
  const child = Bun.spawn([process.execPath, SERVER], {
    stdio: ["ignore", "inherit", "inherit"],
    ipc: (result: CliResult) => answered?.(result),
  });
  return (request) => {
    const died = child.exited.then((status): never => {
      server = undefined;
      throw new Error(`the process ended with ${status} at agnes ${request.args.join(" ")}`);
    });
    const response = new Promise<CliResult>((resolve) => {
      answered = resolve;
    });
    child.send(request);
    return Promise.race([response, died]);
  };
}

/** A folder that goes when the test does. */
export function temporaryDirectory(): { readonly path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), "agnes-cmd-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
