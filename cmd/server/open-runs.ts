import { AgnesError } from "../../lib/base/mod.ts";
import type { RunHistory, RunWithProgress } from "../../lib/sync/mod.ts";
import type { Cli } from "../cli/cli.ts";
import { openAgnes } from "../workspace/open-agnes.ts";
import { camelCase } from "./camel-case.ts";
import type { ServerClient } from "./client.ts";
import { serverOf } from "./server-args.ts";

/** The runs of a workspace, or of that of a server. */
interface CommandRuns extends Pick<RunHistory, "list" | "get">, AsyncDisposable {
  /** The names of the sources. */
  sources(): Promise<readonly string[]>;
  /** The text if there are no runs. */
  readonly nothing: string;
}

/** The maximum that the server accepts. */
const LIMIT_MAX = 1000;
const NOTHING = "There are no runs yet. Run `agnes sync`.";

/** Opens the runs of a command: those of its server, otherwise of its workspace. */
export async function openRuns(cli: Cli, server: string | undefined): Promise<CommandRuns> {
  const client = serverOf(cli, server);
  if (client !== undefined) return serverRuns(cli, client);
  const agnes = await openAgnes(cli);
  const runs = await agnes.runs();
  const { sources, copy } = agnes.workspace.config;
  const names = Object.keys(sources);
  return {
    sources: async () => names,
    list: (options) => runs.list(options),
    get: (id) => runs.get(id),
    nothing:
      copy !== undefined && names.length === 0
        ? "A copy has no runs: `agnes pull` updates it, and `agnes doctor` shows its last pull."
        : NOTHING,
    [Symbol.asyncDispose]: () => agnes.close(),
  };
}

function serverRuns(cli: Cli, server: ServerClient): CommandRuns {
  return {
    async sources() {
      const { sources } = await server.json<{ readonly sources: readonly { readonly name: string }[] }>(
        "/api/health",
      );
      return sources.map(({ name }) => name);
    },
    async list({ limit = LIMIT_MAX, source } = {}) {
      if (limit > LIMIT_MAX) {
        const reason = `--limit is at most ${LIMIT_MAX} with a server`;
        throw new AgnesError("usage_wrong", { command: cli.name, reason });
      }
      const query = new URLSearchParams({ limit: String(limit), ...(source !== undefined && { source }) });
      const { runs } = await server.json<{ readonly runs: readonly object[] }>(
        `/api/runs?${query.toString()}`,
      );
      return camelCase(runs) as readonly RunWithProgress[];
    },
    get: async (id) => camelCase(await server.json(`/api/runs/${id}`)) as RunWithProgress,
    nothing: server.advice(NOTHING),
    [Symbol.asyncDispose]: async () => {},
  };
}
