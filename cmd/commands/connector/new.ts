import { join, parse } from "node:path";

import { AgnesError, createHost, nearest } from "../../../lib/base/mod.ts";
import type { Capability } from "../../../lib/kit/mod.ts";
import {
  filesOfFolder,
  PLUGINS_FOLDER,
  scaffoldCapabilities,
  scaffoldPlugin,
} from "../../../lib/plugins/mod.ts";
import { openWorkspace } from "../../../lib/workspace/mod.ts";
import { bundledPlugins } from "../../plugins.ts";
import { command } from "../../cli/command.ts";
import { typedFor } from "../../cli/typed.ts";
import { writeTypes } from "../../types/write-types.ts";

export default command({
  args: {
    name: { type: "positional", required: true, valueHint: "NAME", description: "Name of the plugin" },
    capabilities: {
      type: "string",
      default: "discover,read",
      valueHint: scaffoldCapabilities.join(","),
      description: "Capabilities, separated by commas",
    },
  },
  examples: [
    "agnes connector new hubspot",
    "agnes connector new warehouse --capabilities discover,read,query",
  ],
  async run(cli, args) {
    const host = createHost();
    const { directory } = await openWorkspace(
      host,
      cli.workspace === undefined ? {} : { exact: cli.workspace },
    );
    if ((await bundledPlugins()).some(({ name }) => name === args.name)) {
      throw new AgnesError("scaffold_invalid", {
        reason: `${args.name} is the name of a built-in plugin`,
      });
    }
    const capabilities = parseCapabilities(cli.name, args.capabilities);
    const files = scaffoldPlugin({ name: args.name, capabilities });
    const paths = Object.keys(files).map((name) => join(directory, name));
    for (const path of paths) {
      if ((await host.files.stat(path)) !== null)
        throw new AgnesError("scaffold_invalid", { reason: `${path} already exists` });
    }
    const plugins = await filesOfFolder(join(directory, PLUGINS_FOLDER), host.files);
    const same = plugins.find((path) => parse(path).name === args.name);
    if (same !== undefined) throw new AgnesError("scaffold_invalid", { reason: `${same} already exists` });
    for (const [name, content] of Object.entries(files)) {
      const path = join(directory, name);
      await host.files.makeDirectory(join(path, ".."));
      await host.files.write(path, content);
    }
    const written = [...paths, ...(await writeTypes(host.files, directory))];
    if (cli.json) return cli.printJson({ files: written });
    for (const path of written) await cli.print(`${path}\n`);
    const typed = typedFor(cli.workspace);
    const isBlind = capabilities.includes("read") && !capabilities.includes("discover");
    cli.info("");
    cli.box("Next steps", [
      `${typed(`connector test ${args.name}${isBlind ? " --table people" : ""}`)}   runs its contract suites; it passes unchanged`,
      `edit plugins/${args.name}/plugin.ts`,
      `add it under \`sources:\` in agnes.yaml:  ${args.name}: { plugin: ${args.name} }`,
      ...(capabilities.includes("discover")
        ? []
        : [`register its tables: see plugins/${args.name}/README.md`]),
      typed("sync"),
    ]);
  },
});

function parseCapabilities(name: string, list: string): readonly Capability[] {
  const items = list.split(/[\s,]+/).filter((item) => item !== "");
  if (items.length === 0)
    throw new AgnesError("usage_wrong", { command: name, reason: "--capabilities is empty" });
  return items.map((item) => {
    const known = scaffoldCapabilities.find((capability) => capability === item);
    if (known !== undefined) return known;
    const near = nearest(item, scaffoldCapabilities);
    throw new AgnesError("usage_wrong", {
      command: name,
      reason: `${JSON.stringify(item)} is not a capability that a new plugin can have`,
      next: near === undefined ? `They are ${scaffoldCapabilities.join(", ")}.` : `Did you mean ${near}?`,
    });
  });
}
