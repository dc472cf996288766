import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The table service of Azurite, running. */
export interface Azurite extends AsyncDisposable {
  readonly connectionString: string;
  readonly port: number;
}

// The emulator's account is public and the same everywhere.
const ACCOUNT = "devstoreaccount1";
const KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

const SERVICES = {
  table: new URL("../../node_modules/azurite/dist/src/table/main.js", import.meta.url),
  blob: new URL("../../node_modules/azurite/dist/src/blob/main.js", import.meta.url),
};

/** Starts Azurite's table service on a free port, with a folder of its own; disposing ends both. */
export async function startAzurite(): Promise<Azurite> {
  const service = await startAzuriteService("table");
  const endpoint = `http://127.0.0.1:${service.port}/${ACCOUNT}`;
  const connectionString = `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${KEY};TableEndpoint=${endpoint};`;
  return { ...service, connectionString };
}

/** Starts one service of Azurite. */
export async function startAzuriteService(
  kind: "table" | "blob",
): Promise<Pick<Azurite, "port" | typeof Symbol.asyncDispose>> {
  const directory = await mkdtemp(join(tmpdir(), "agnes-azurite-"));
  const port = await freePort();
  const child = spawn(
    process.execPath,
    ["--bun", SERVICES[kind].pathname, `--${kind}Host`, "127.0.0.1", `--${kind}Port`, String(port)].concat([
      "--location",
      directory,
      "--silent",
      "--disableTelemetry",
      "--skipApiVersionCheck",
    ]),
    { stdio: ["ignore", "pipe", "pipe"], cwd: directory },
  );
  await listening(child);
  return {
    port,
    async [Symbol.asyncDispose]() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function listening(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = "";
    const hear = (data: Buffer) => {
      output += data.toString();
      if (/successfully (started|listen)/.test(output)) resolve();
    };
    child.stdout!.on("data", hear);
    child.stderr!.on("data", hear);
    child.once("exit", (code) => reject(new Error(`azurite ended with ${code}: ${output}`)));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
