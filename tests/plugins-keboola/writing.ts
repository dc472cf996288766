import { createAgnes, type Agnes, type AgnesError, type AgnesOptions, type PushRequest } from "agnes";

import plugin from "../../plugins/keboola/plugin.ts";
import type { FakeKeboola } from "../fakes/keboola/mod.ts";
import { temporaryFolder } from "../sync/workspace.ts";
import { optionsOf } from "./support.ts";

/** A workspace over a fake project whose tables may be written. */
export interface Writable extends AsyncDisposable {
  readonly agnes: Agnes;
  /** Pushes to a table of the project. */
  push(request: Omit<PushRequest, "source">): ReturnType<Agnes["push"]>;
  /** The error of a push. */
  refusal(request: Omit<PushRequest, "source">): Promise<AgnesError>;
  /** Syncs a table of the project and returns the result of SQL over it, as `t`. */
  readBack<T>(table: string, sql: string): Promise<readonly T[]>;
}

/** Opens a workspace over a fake project. */
export async function openWritable(
  keboola: FakeKeboola,
  options: Readonly<Record<string, unknown>> = { write: true },
  token = keboola.token,
): Promise<Writable> {
  const folder = temporaryFolder();
  const env = { KEBOOLA_STORAGE_TOKEN: token };
  const open = (host: NonNullable<AgnesOptions["host"]>) =>
    createAgnes({
      workspace: folder.path,
      plugins: [plugin],
      config: {
        version: 1,
        sources: { kbc: { plugin: "keboola", options: { ...optionsOf(keboola), ...options } } },
      },
      host,
    });
  const agnes = await open(keboola.host({ env, startsAt: new Date("2026-06-01T08:00:00Z") }));
  const push: Writable["push"] = (request) => agnes.push({ ...request, source: "kbc" });
  return {
    agnes,
    push,
    async refusal(request) {
      const error = await push(request).then(
        (report) => new Error(`it was not refused: ${JSON.stringify(report)}`),
        (thrown: unknown) => thrown,
      );
      return error as AgnesError;
    },
    async readBack<T>(table: string, sql: string) {
      // A registry waits, and the time of a fake host does not.
      await using reader = await open({ fetch: keboola.fetch, env });
      await (await reader.tables()).register({ source: "kbc", name: "t", sourceTable: table });
      const { sources } = await reader.sync();
      if (sources[0]?.status !== "complete") throw new Error(JSON.stringify(sources[0]));
      return await reader.rows<T>(sql);
    },
    async [Symbol.asyncDispose]() {
      await agnes.close();
      folder[Symbol.dispose]();
    },
  };
}

/** The bodies of the imports that a fake received. */
export function importsOf(keboola: FakeKeboola): readonly Readonly<Record<string, unknown>>[] {
  return keboola
    .requestsOf("import")
    .map(({ body }) => JSON.parse(body) as Readonly<Record<string, unknown>>);
}
