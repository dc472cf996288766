import { AgnesError, type Log } from "../../lib/base/mod.ts";
import { ServerState } from "../../lib/serve/mod.ts";
import type { Agnes } from "../../lib/agnes.ts";
import { command } from "../cli/command.ts";
import type { Cli } from "../cli/cli.ts";
import { SYNC_ARGUMENT, WORKER_ARGUMENT } from "../process/worker-argument.ts";
import { isExecutable, ownCommand } from "../process/thread-pool.ts";
import { isLoopback, urlOf } from "../serve/addresses.ts";
import { listen, type Listening } from "../serve/listen.ts";
import { ReloadedWorkspace } from "../serve/reloaded-workspace.ts";
import { serverLog } from "../serve/server-log.ts";
import { warnOfSources } from "../serve/warn-of-sources.ts";
import { openAgnes } from "../workspace/open-agnes.ts";

export default command({
  args: {
    host: {
      type: "string",
      valueHint: "ADDRESS",
      default: "127.0.0.1",
      description: "Address to listen on; others than those of this machine need a token first",
    },
    port: {
      type: "string",
      valueHint: "PORT",
      default: "8080",
      description: "Port to listen on; 0: any free one",
    },
  },
  examples: ["agnes serve", "agnes serve --port 0 --json", "agnes serve --host 0.0.0.0 --env-file .env"],
  loadsEnvFile: true,
  async run(cli, args) {
    const { host } = args;
    const port = portOf(cli.name, args.port);
    cli.drainOnSignal();
    const log = serverLog(cli);
    const state = new ServerState();
    const open = async () => {
      await cli.envFile?.load();
      const agnes = await openAgnes(cli, {
        log,
        agnes: {
          isolation: "process",
          syncProcesses: { command: [...ownCommand(), SYNC_ARGUMENT] },
          server: { state },
          ...(isExecutable() && { workers: { command: [process.execPath, WORKER_ARGUMENT] } }),
        },
      });
      await agnes.startScheduler();
      warnOfSources(agnes, log);
      return agnes;
    };
    const first = await open();
    let listening: Listening;
    let workspace: ReloadedWorkspace;
    try {
      await checkProtection(first, host);
      await removeEndedSessions(first, log);
      const { maxBodyBytes, maxWebhookBytes } = first.workspace.config.server;
      listening = listen({
        host,
        port,
        maxBodyBytes: Math.max(maxBodyBytes, maxWebhookBytes),
        log,
        handle: (request, info) => workspace.fetch(request, info),
      });
      workspace = new ReloadedWorkspace(first, open, { log, state });
    } catch (error) {
      await first.close();
      throw error;
    }
    const reload = () => void workspace.reload();
    process.on("SIGHUP", reload);
    const url = first.workspace.config.server.publicUrl ?? urlOf(host, listening.port);
    await announce(cli, {
      url,
      login: `${url}/login?code=${state.createLoginCode()}`,
      port: listening.port,
    });
    await aborted(cli.signal);
    process.off("SIGHUP", reload);
    state.endStreams();
    await listening.drain();
    await workspace.close();
  },
});

function portOf(name: string, text: string): number {
  if (/^[0-9]{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  const reason = `--port cannot be ${JSON.stringify(text)}`;
  throw new AgnesError("usage_wrong", { command: name, reason, next: "A port is a number from 0 to 65535." });
}

/** Removes the sessions of servers that ended. A server starts even if the disk is full. */
async function removeEndedSessions(agnes: Agnes, log: Log): Promise<void> {
  try {
    await (await agnes.tokens()).removeEndedSessions();
  } catch (error) {
    log.warn("the sessions of earlier servers were not removed", { error });
  }
}

/** Checks that a server which others can reach has a token. @throws `server_unprotected` */
async function checkProtection(agnes: Agnes, host: string): Promise<void> {
  if (isLoopback(host)) return;
  const now = Date.now();
  const tokens = await (await agnes.tokens()).list();
  const isProtected = tokens.some(
    ({ kind, expiresAt }) => kind === "token" && (expiresAt === null || Date.parse(expiresAt) > now),
  );
  if (!isProtected) throw new AgnesError("server_unprotected", { address: host });
}

async function announce(
  cli: Cli,
  { url, login, port }: { readonly url: string; readonly login: string; readonly port: number },
): Promise<void> {
  if (cli.json) return cli.printJson({ url, login_url: login, port });
  cli.info(`Agnes listens on ${url}`);
  cli.info(`Sign in as administrator, once, within ten minutes: ${login}`);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
