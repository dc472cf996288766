import { workspaceConfig } from "../../lib/workspace/mod.ts";
import { markdownTable, page } from "./markdown.ts";
import { schemaRows } from "./schema.ts";

const VARIABLES: readonly (readonly [string, string])[] = [
  ["AGNES_WORKSPACE", "Folder of the workspace, instead of the nearest one upwards"],
  ["AGNES_DATA_DIR", "Folder for data, instead of `data` in the workspace"],
  ["AGNES_SERVER", "URL of a server, for the commands with the option `--server`"],
  ["AGNES_TOKEN", "Token for that server"],
  [
    "AGNES_REMOTE_ATTACH_EXTENSIONS",
    "Comma-separated DuckDB extensions that may attach a source, instead of those that plugins allow",
  ],
  [
    "AGNES_REMOTE_ATTACH_TOKEN_ENVS",
    "Comma-separated variables whose value may be sent to a source, instead of those of the plugins' secrets",
  ],
  [
    "AGNES_REMOTE_ATTACH_HOST_ALLOWLIST",
    "Comma-separated hosts that may be attached; unset allows any, with a warning when a foreign extract names one",
  ],
];

/** `docs/reference/configuration.md`. */
export function configurationPage(): string {
  return page(
    "Configuration",
    "`agnes.yaml` in the folder of a workspace. `createAgnes({ config })` accepts the same keys. Unknown keys are errors." +
      " It contains no secrets, only the names of the environment variables that contain them.",
    markdownTable(["key", "type", "default", "description"], schemaRows(workspaceConfig)),
    "## Environment variables",
    markdownTable(
      ["variable", "description"],
      VARIABLES.map(([name, description]) => [`\`${name}\``, description]),
    ),
  );
}
