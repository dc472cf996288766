import { spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { DUCKDB, extensionFile } from "./extensions.ts";
import { pythonWith } from "./python.ts";

const PACKAGES = ["bqemulator==1.4.0", "numpy==2.4.6", `duckdb==${DUCKDB}`];
/** The platform, as DuckDB names it. */
const PLATFORM = `${process.platform === "darwin" ? "osx" : "linux"}_${process.arch === "arm64" ? "arm64" : "amd64"}`;
const READY_MS = 120_000;

/** The BigQuery emulator of PyPI, in a process of its own. */
export interface Emulator extends AsyncDisposable {
  readonly url: string;
  /** Of the Storage Read API. */
  readonly storageUrl: string;
  /** Posts JSON to a path below the project, and returns the response. */
  post(path: string, body: object): Promise<unknown>;
}

/** Starts the emulator with an empty project `p-1`. */
export async function openEmulator(): Promise<Emulator> {
  const python = pythonWith(PACKAGES);
  const home = mkdtempSync(join(tmpdir(), "agnes-bqemulator-"));
  const extensions = join(home, `.duckdb/extensions/v${DUCKDB}/${PLATFORM}`);
  mkdirSync(extensions, { recursive: true });
  copyFileSync(extensionFile("spatial"), join(extensions, "spatial.duckdb_extension"));
  const [rest, grpc] = [await freePort(), await freePort()];
  const parameters = ["start", "--rest-port", `${rest}`, "--grpc-port", `${grpc}`, "--project", "p-1"];
  const child = spawn(join(python, "../bqemulator"), parameters, {
    env: { ...process.env, HOME: home },
    stdio: "ignore",
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const url = `http://127.0.0.1:${rest}`;
  const base = `${url}/bigquery/v2/projects/p-1`;
  const close = async () => {
    child.kill("SIGKILL");
    await ended;
    rmSync(home, { recursive: true, force: true });
  };
  const deadlineMs = Date.now() + READY_MS;
  for (;;) {
    const isUp = await fetch(`${base}/datasets`)
      .then(({ ok }) => ok)
      .catch(() => false);
    if (isUp) break;
    if (Date.now() > deadlineMs || child.exitCode !== null) {
      await close();
      throw new Error("the emulator did not start");
    }
    await Bun.sleep(250);
  }
  return {
    url,
    storageUrl: `http://127.0.0.1:${grpc}`,
    async post(path, body) {
      const response = await fetch(`${base}${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      const result = (await response.json()) as { readonly errors?: unknown };
      // A statement that fails is a response with status 200.
      if (!response.ok || result.errors !== undefined) throw new Error(JSON.stringify(result));
      return result;
    },
    [Symbol.asyncDispose]: close,
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
