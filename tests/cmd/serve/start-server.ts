import { connect } from "node:net";
import { join } from "node:path";

const MAIN = join(import.meta.dir, "..", "..", "..", "cmd", "main.ts");

interface Started {
  readonly url: string;
  readonly login_url: string;
  readonly port: number;
}

/** Starts `agnes serve --json`, and waits until it listens. */
export async function startServer(
  workspace: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
) {
  const child = Bun.spawn([process.execPath, MAIN, "serve", "--port", "0", "--json", ...args], {
    cwd: workspace,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { HOME: workspace, PATH: process.env["PATH"] ?? "", ...env },
  });
  const log = lines(child.stderr);
  const [line] = await lines(child.stdout).until(() => true);
  if (line === undefined) throw new Error((await log.until(() => false)).join("\n"));
  const { url, login_url, port } = JSON.parse(line) as Started;
  return {
    child,
    url,
    loginUrl: login_url,
    port,
    /** Waits until lines of the log contain a text. */
    logged: (text: string, count = 1) => log.until((seen) => seen.includes(text), count),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** The lines of a stream. `until` waits for one, and returns all so far. */
function lines(stream: ReadableStream<Uint8Array>) {
  const seen: string[] = [];
  let hasEnded = false;
  let wake = () => {};
  void (async () => {
    let rest = "";
    for await (const bytes of stream) {
      const parts = (rest + Buffer.from(bytes).toString()).split("\n");
      rest = parts.pop()!;
      seen.push(...parts);
      wake();
    }
    hasEnded = true;
    wake();
  })();
  return {
    async until(isWanted: (line: string) => boolean, count = 1): Promise<readonly string[]> {
      while (!hasEnded && seen.filter((line) => isWanted(line)).length < count)
        await new Promise<void>((resolve) => (wake = resolve));
      return seen;
    },
  };
}

/** Sends bytes, and returns what the server sends until it closes the connection. */
export function sendRaw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    let received = "";
    socket.on("data", (data) => (received += data.toString()));
    socket.on("close", () => resolve(received));
    socket.on("error", reject);
  });
}
