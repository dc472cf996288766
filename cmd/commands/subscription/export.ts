import { AgnesError, createHost, shellQuoted, writeOutput } from "../../../lib/base/mod.ts";
import { rsyncFilter } from "../../../lib/pull/mod.ts";
import { command } from "../../cli/command.ts";
import { requiredServer, serverOnlyArgs } from "../../server/server-args.ts";
import { writePieces } from "../../results/output-file.ts";
import { plural, sizeText } from "../../terminal/figures.ts";

export default command({
  args: {
    ...serverOnlyArgs,
    rsync: {
      type: "string",
      valueHint: "FILE",
      description: "Required: file for the filter rules of rsync, which is replaced",
    },
    from: {
      type: "string",
      valueHint: "HOST:DIR",
      description: "The data folder of the server, as rsync reads it; default: a placeholder",
    },
    to: {
      type: "string",
      default: "data",
      valueHint: "DIR",
      description: "The data folder of the copy",
    },
  },
  examples: [
    "agnes subscription export --rsync tables.filter --server https://agnes.example.com",
    "agnes subscription export --rsync tables.filter --from agnes@example.com:/srv/agnes/data",
  ],
  async run(cli, args) {
    const { rsync } = args;
    const wrong = (reason: string) => new AgnesError("usage_wrong", { command: cli.name, reason });
    if (rsync === undefined) throw wrong("--rsync FILE is missing");
    const server = await requiredServer(cli, args.server);
    const filter = rsyncFilter(server.address, await server.json("/api/sync/manifest"));
    await writeOutput(createHost(), rsync, (path, isFile) => writePieces({ path, isFile }, [filter.rules]));
    const from = args.from ?? `${new URL(server.address).hostname}:/path/to/data`;
    const line = [
      "rsync",
      "-a",
      "--partial",
      `--filter=merge ${rsync}`,
      `${from.replace(/\/+$/, "")}/`,
      `${args.to.replace(/\/+$/, "")}/`,
    ];
    const text = line.map(shellQuoted).join(" ");
    const { tables, parts, sizeBytes } = filter;
    if (cli.json)
      return cli.printJson({ filter: rsync, command: text, tables, parts, size_bytes: sizeBytes });
    await cli.print(`${text}\n`);
    cli.info(`${plural(tables, "table")} in ${plural(parts, "part")}, ${sizeText(sizeBytes)}.`);
    cli.info("Then run `agnes pull` in the copy: it publishes the parts and downloads only what is missing.");
  },
});
