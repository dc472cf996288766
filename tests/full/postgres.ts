import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { oneAtATime } from "./one-at-a-time.ts";
import { run } from "./python.ts";

const PROGRAMS = "/usr/lib/postgresql";

/** A PostgreSQL server of a test's own. */
export interface Postgres extends Disposable {
  readonly port: number;
  readonly user: string;
  /** Runs SQL as the owner. */
  sql(text: string): void;
  /** The statements that clients sent so far. */
  statements(): readonly string[];
}

/**
 * Starts a PostgreSQL that listens on 127.0.0.1, wants a password, and logs every statement. Where Debian's package
 * `postgresql` is missing, it is installed. A machine on which it cannot start fails the tests that need it.
 */
export async function startPostgres(password: string): Promise<Postgres> {
  const programs = installed();
  const directory = mkdtempSync(join(tmpdir(), "agnes-postgres-"));
  // The server refuses to run as root, so the user that the package makes runs it.
  const isRoot = process.getuid?.() === 0;
  if (isRoot) run("chown", ["postgres", directory]);
  const server = (...parameters: readonly string[]) =>
    isRoot ? run("setpriv", [...AS_POSTGRES, ...parameters]) : run(parameters[0]!, parameters.slice(1));
  const data = join(directory, "data");
  const passwordFile = join(directory, "password");
  const log = join(directory, "log");
  writeFileSync(passwordFile, password);
  chmodSync(passwordFile, 0o644);
  const port = await freePort();
  const settings = [
    "listen_addresses=127.0.0.1",
    `port=${port}`,
    `unix_socket_directories=${directory}`,
    "log_statement=all",
    "fsync=off",
  ];
  try {
    const asked = [
      `--pwfile=${passwordFile}`,
      "-A",
      "scram-sha-256",
      "-E",
      "UTF8",
      "--locale=C",
      "--no-sync",
    ];
    server(join(programs, "initdb"), "-D", data, "-U", "owner", ...asked);
    const start = ["-D", data, "-l", log, "-w", "-o", settings.map((setting) => `-c ${setting}`).join(" ")];
    server(join(programs, "pg_ctl"), ...start, "start");
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
  return {
    port,
    user: "owner",
    sql(text) {
      const parameters = ["-h", "127.0.0.1", "-p", String(port), "-U", "owner", "-v", "ON_ERROR_STOP=1"];
      const result = spawnSync(join(programs, "psql"), [...parameters, "-c", text, "postgres"], {
        encoding: "utf8",
        env: { ...process.env, PGPASSWORD: password },
      });
      if (result.status !== 0) throw new Error(`${text} failed:\n${result.stderr}`);
    },
    statements: () =>
      readFileSync(log, "utf8")
        .split("\n")
        .flatMap((line) => /LOG: +statement: (.*)$/.exec(line)?.[1] ?? []),
    [Symbol.dispose]() {
      server(join(programs, "pg_ctl"), "-D", data, "-m", "immediate", "-w", "stop");
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

const AS_POSTGRES = ["--reuid=postgres", "--regid=postgres", "--init-groups"];

/** Where the newest PostgreSQL that is installed keeps its programs. */
function installed(): string {
  oneAtATime(() => {
    if (newest() !== undefined) return;
    const sudo = process.getuid?.() === 0 ? [] : ["sudo", "-n"];
    const apt = [...sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
    run(apt[0]!, [...apt.slice(1), "update"]);
    run(apt[0]!, [...apt.slice(1), "install", "-y", "--no-install-recommends", "postgresql"]);
  });
  const found = newest();
  if (found === undefined) throw new Error(`there is no PostgreSQL server below ${PROGRAMS}`);
  return found;
}

function newest(): string | undefined {
  if (!existsSync(PROGRAMS)) return undefined;
  return readdirSync(PROGRAMS)
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(PROGRAMS, version, "bin"))
    .find((programs) => existsSync(join(programs, "initdb")));
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
