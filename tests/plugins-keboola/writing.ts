import type { Agnes, AgnesError, PushRequest } from "agnes";

import type { FakeKeboola } from "../fakes/keboola/mod.ts";
import { openWorkspace } from "./agnes.ts";

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
  const env = { KEBOOLA_STORAGE_TOKEN: token };
  const host = keboola.host({ env, startsAt: new Date("2026-06-01T08:00:00Z") });
  const workspace = await openWorkspace(keboola, { options, token, host });
  const { agnes } = workspace;
  const push: Writable["push"] = (request) => agnes.push({ ...request, source: "crm" });
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
      await using reader = await workspace.reopen({ fetch: keboola.fetch, env });
      await (await reader.tables()).register({ source: "crm", name: "t", sourceTable: table });
      const { sources } = await reader.sync();
      if (sources[0]?.status !== "complete") throw new Error(JSON.stringify(sources[0]));
      return await reader.rows<T>(sql);
    },
    [Symbol.asyncDispose]: async () => workspace[Symbol.asyncDispose](),
  };
}

/** The bodies of the imports that a fake received. */
export function importsOf(keboola: FakeKeboola): readonly Readonly<Record<string, unknown>>[] {
  return keboola
    .requestsOf("import")
    .map(({ body }) => JSON.parse(body) as Readonly<Record<string, unknown>>);
}
