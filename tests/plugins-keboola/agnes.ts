import { createAgnes, type Agnes, type AgnesOptions } from "agnes";

import plugin from "../../plugins/keboola/plugin.ts";
import { temporaryFolder } from "../sync/workspace.ts";
import type { FakeKeboola } from "../fakes/keboola/mod.ts";
import { optionsOf } from "./support.ts";

/** A workspace in a temporary folder. */
export interface Workspace extends AsyncDisposable {
  readonly agnes: Agnes;
  /** Opens the same workspace with another host. */
  reopen(host: NonNullable<AgnesOptions["host"]>): Promise<Agnes>;
}

/** Opens a workspace whose only source, `crm`, is a fake project. */
export async function openWorkspace(
  keboola: FakeKeboola,
  {
    options = {},
    token = keboola.token,
    variable = "KEBOOLA_STORAGE_TOKEN",
    host = {},
  }: {
    readonly options?: object;
    readonly token?: string;
    /** The variable that holds the token. */
    readonly variable?: string;
    readonly host?: NonNullable<AgnesOptions["host"]>;
  } = {},
): Promise<Workspace> {
  const folder = temporaryFolder();
  const source = {
    plugin: "keboola",
    options: { ...optionsOf(keboola), ...options },
    secrets: { KEBOOLA_STORAGE_TOKEN: variable },
  };
  const open = (one: NonNullable<AgnesOptions["host"]>) =>
    createAgnes({
      workspace: folder.path,
      plugins: [plugin],
      config: { version: 1, sources: { crm: source } },
      host: { fetch: keboola.fetch, env: { [variable]: token }, ...one },
    });
  const agnes = await open(host);
  return {
    agnes,
    reopen: open,
    async [Symbol.asyncDispose]() {
      await agnes.close();
      folder[Symbol.dispose]();
    },
  };
}
