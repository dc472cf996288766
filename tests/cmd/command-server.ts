/** Runs commands one after the other as they come from the parent, each as if it were typed in a shell of its own. */
import manifest from "../../package.json" with { type: "json" };
import { dispatch } from "../../cmd/dispatch.ts";
import { mainCommand } from "../../cmd/main-command.ts";
import { exitProcess } from "../../cmd/process/exit.ts";
import type { CliResult } from "./run-cli.ts";

/** A command, where it is typed, and the whole environment. */
export interface CommandRequest {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

const [program, main] = process.argv as [string, string];

process.on("disconnect", () => exitProcess(0));
process.on("message", (request) => void respond(request as CommandRequest));

async function respond({ args, cwd, env }: CommandRequest): Promise<void> {
  process.chdir(cwd);
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, env);
  process.argv = [program, main, ...args];
  const [stdout, stderr] = [capture(process.stdout), capture(process.stderr)];
  const status = await dispatch(mainCommand, args, manifest.version);
  process.send!({ status, stdout: stdout(), stderr: stderr() } satisfies CliResult);
}

/** Keeps what is written to a stream, and gives it as text. */
function capture(stream: NodeJS.WriteStream): () => string {
  const chunks: Uint8Array[] = [];
  stream.write = (data: string | Uint8Array, ...rest: readonly unknown[]) => {
    chunks.push(typeof data === "string" ? Buffer.from(data) : data.slice());
    const done = rest.find((one) => typeof one === "function");
    done?.();
    return true;
  };
  return () => Buffer.concat(chunks).toString();
}
