import { AgnesError, nearest } from "../../lib/base/mod.ts";
import type { TableProfile } from "../../lib/profile/mod.ts";
import type { Cli } from "../cli/cli.ts";
import { command } from "../cli/command.ts";
import { profileFacts, renderColumn, renderOverview } from "../terminal/render-profile.ts";
import { checkTableName } from "../cli/table-name.ts";
import { checkNoServer, serverArgs, serverOf } from "../server/server-args.ts";
import { openAgnes } from "../workspace/open-agnes.ts";

export default command({
  args: {
    ...serverArgs,
    table: {
      type: "positional",
      required: true,
      valueHint: "TABLE",
      description: "A table of the catalog, by view name or SOURCE.TABLE",
    },
    column: { type: "string", valueHint: "NAME", description: "Show one column only" },
    refresh: { type: "boolean", description: "Compute the profile again, even if the table has not changed" },
  },
  examples: ["agnes profile orders", "agnes profile orders --column price", "agnes profile orders --json"],
  async run(cli, args) {
    const server = serverOf(cli, args.server);
    checkTableName(cli, args.table);
    checkNoServer(cli, server, args.refresh === true ? ["--refresh"] : []);
    const profile =
      server === undefined
        ? await localProfile(cli, args.table, args.refresh === true)
        : await server.json<TableProfile>(`/api/v2/profile/${encodeURIComponent(args.table)}`);
    if (profile.stale !== null)
      cli.warn(`this is the profile of an earlier state of the table: ${profile.stale.reason}`);
    const columns = args.column === undefined ? profile.columns : [columnOf(args.column)];
    if (cli.json) return cli.printJson({ ...profile, columns });
    const { stdout } = process;
    const drawing = { style: cli.style, width: stdout.isTTY ? stdout.columns : Number.POSITIVE_INFINITY };
    cli.info(`${profile.name}, profiled at ${profile.generated_at}`);
    if (args.column === undefined) {
      for (const fact of profileFacts(profile)) cli.info(fact);
      await cli.print(`${renderOverview(profile, drawing)}\n`);
    }
    const drawn = columns.map((column) => renderColumn(column, profile, drawing));
    await cli.print(drawn.join("\n"));

    function columnOf(name: string) {
      const names = profile.columns.map((column) => column.name);
      const found = profile.columns.find((column) => column.name.toLowerCase() === name.toLowerCase());
      if (found !== undefined) return found;
      const near = nearest(name, names);
      throw new AgnesError("usage_wrong", {
        command: cli.name,
        reason: `${profile.name} has no column ${JSON.stringify(name)}`,
        next:
          near === undefined
            ? `\`agnes schema ${profile.name}\` lists its columns.`
            : `Did you mean ${near}?`,
      });
    }
  },
});

async function localProfile(cli: Cli, table: string, isRefreshed: boolean): Promise<TableProfile> {
  await using agnes = await openAgnes(cli);
  return await agnes.profile(table, { compute: isRefreshed ? "always" : "missing", signal: cli.signal });
}
