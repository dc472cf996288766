import { join, resolve } from "node:path";

import type { Agnes } from "../../lib/agnes.ts";
import { AgnesError, checkServerAddress, createHost, isAgnesError } from "../../lib/base/mod.ts";
import { CONFIG_FILE } from "../../lib/workspace/mod.ts";
import type { Cli } from "../cli/cli.ts";
import { command } from "../cli/command.ts";
import { runPull } from "../pull/run-pull.ts";
import { openAgnes } from "../workspace/open-agnes.ts";
import { writeWorkspace } from "../workspace/write-workspace.ts";
import { copyFiles } from "../workspace/template.ts";

export default command({
  args: {
    server: {
      type: "positional",
      required: false,
      valueHint: "SERVER",
      description:
        "Address of the server, whose token is in AGNES_TOKEN; default: the server of this copy, or AGNES_SERVER",
    },
    verify: {
      type: "boolean",
      description: "Hash all parts on the disk, and download damaged ones again",
    },
    layout: {
      type: "enum",
      options: ["folders"],
      description: "Also lay the tables out as files and folders in parquet/",
    },
  },
  examples: [
    "agnes pull https://agnes.example.com",
    "agnes pull",
    "agnes pull --verify",
    "agnes pull --layout folders",
  ],
  async run(cli, args) {
    const copy = await openCopy(cli, args.server);
    const { agnes, onManifest } = copy;
    try {
      await using _ = agnes;
      return await runPull(cli, agnes, {
        ...(args.server !== undefined && { server: args.server }),
        ...(args.layout !== undefined && { layout: args.layout }),
        ...(onManifest && { onManifest }),
        verify: args.verify === true,
      });
    } finally {
      await copy.close?.();
    }
  },
});

interface OpenedCopy {
  readonly agnes: Agnes;
  /** Makes the folder a workspace. */
  readonly onManifest?: () => Promise<void>;
  /** Removes what a failed first pull made. */
  readonly close?: () => Promise<void>;
}

/** Opens the workspace. A folder without one becomes a copy when the server has sent the list of tables. */
async function openCopy(cli: Cli, named: string | undefined): Promise<OpenedCopy> {
  const open = { quietLog: "connectors", log: cli.log } as const;
  try {
    return { agnes: await openAgnes(cli, open) };
  } catch (error) {
    if (!isAgnesError(error, "workspace_missing")) throw error;
    const workspace = resolve(cli.workspace ?? process.env["AGNES_WORKSPACE"] ?? ".");
    const address = named ?? process.env["AGNES_SERVER"];
    if (address === undefined || address === "")
      throw new AgnesError("pull_server_missing", { directory: workspace }, { cause: error });
    const server = checkServerAddress(address).origin;
    const config = { version: 1, copy: { server } } as const;
    const agnes = await openAgnes(cli, { ...open, workspace, agnes: { config } });
    const host = createHost();
    const { dataDirectory } = agnes.workspace;
    const isNew = (await host.files.stat(dataDirectory)) === null;
    const onManifest = async () => {
      await writeWorkspace(host, workspace, copyFiles(server), []);
    };
    const close = async () => {
      const isCopy = (await host.files.stat(join(workspace, CONFIG_FILE))) !== null;
      if (isNew && !isCopy) await host.files.removeDirectory(dataDirectory);
    };
    return { agnes, onManifest, close };
  }
}
