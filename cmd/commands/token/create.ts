import { AgnesError, currentActor, createHost, nearest } from "../../../lib/base/mod.ts";
import { folderOf } from "../../../lib/tables/mod.ts";
import type { Agnes } from "../../../lib/agnes.ts";
import type { Grants, Role } from "../../../lib/serve/mod.ts";
import { command } from "../../cli/command.ts";
import { durationMs } from "../../serve/duration.ts";
import { storedToken } from "../../serve/stored-token.ts";
import { choiceOf } from "../../tables/fields.ts";
import { openAgnes } from "../../workspace/open-agnes.ts";

const ROLES = ["analyst", "admin"] as const satisfies readonly Role[];

export default command({
  args: {
    name: { type: "positional", required: true, valueHint: "NAME", description: "A name for people" },
    role: {
      type: "string",
      valueHint: ROLES.join("|"),
      description: "analyst: read tables; admin: also manage the workspace; default: analyst",
    },
    table: {
      type: "string",
      valueHint: "TABLE",
      description:
        "View name or id of a table that an analyst may access; may be repeated; default: all tables",
    },
    source: {
      type: "string",
      valueHint: "SOURCE",
      description: "Source whose tables an analyst may access; may be repeated",
    },
    folder: {
      type: "string",
      valueHint: "FOLDER",
      description: "Folder whose tables an analyst may access; may be repeated",
    },
    expires: {
      type: "string",
      valueHint: "30d",
      description: "Time until it expires: 12h, 30d, 8w; default: it never expires",
    },
  },
  examples: [
    "agnes token create reports",
    "agnes token create ann --source crm --folder finance --expires 30d",
    "agnes token create deploy --role admin",
  ],
  async run(cli, args, valuesOf) {
    const role = args.role === undefined ? "analyst" : choiceOf(cli.name, "--role", args.role, ROLES);
    const grants = grantsOf(cli.name, role, {
      tables: valuesOf("table"),
      sources: valuesOf("source"),
      folders: valuesOf("folder"),
    });
    const host = createHost();
    const expiresAt =
      args.expires === undefined
        ? null
        : new Date(host.now().getTime() + durationMs(cli.name, "expires", args.expires));
    await using agnes = await openAgnes(cli);
    const checked = grants === null ? null : await knownGrants(agnes, grants);
    const { token, info } = await (
      await agnes.tokens()
    ).create({
      name: args.name,
      role,
      grants: checked?.grants ?? null,
      expiresAt,
      actor: currentActor(host),
    });
    if (cli.json) await cli.printJson({ token, ...storedToken(info) });
    else await cli.print(`${token}\n`);
    for (const name of checked?.unknown ?? [])
      cli.warn(`${name} does not exist now; the token may access it when it does`);
    cli.info(`created the token ${info.id}; it is not shown again`);
  },
});

function grantsOf(name: string, role: Role, grants: Grants): Grants | null {
  const hasGrants = Object.values(grants).some((names: readonly string[]) => names.length > 0);
  if (!hasGrants) return null;
  if (role === "analyst") return grants;
  const reason = "--table, --source and --folder limit analysts, but an administrator may access all tables";
  throw new AgnesError("usage_wrong", { command: name, reason, next: "Leave out --role admin." });
}

/** Replaces view names by ids, and finds names that do not exist. */
async function knownGrants(agnes: Agnes, grants: Grants) {
  const registry = await agnes.tables();
  const [tables, mapping] = [await registry.list(), await registry.folders()];
  const published = await agnes.catalog();
  const same = (a: string | null, b: string) => a?.toLowerCase() === b.toLowerCase();
  const unknown: string[] = [];
  const ids = grants.tables.map((table) => {
    const id =
      tables.find((one) => same(one.id, table) || same(one.viewName, table))?.id ??
      published.find((one) => same(one.id, table) || same(one.name, table))?.id;
    // Only an id can be that of a table that is registered later.
    if (id === undefined && !table.includes(".")) {
      const near = nearest(
        table,
        tables.map(({ viewName }) => viewName),
      );
      throw new AgnesError("table_not_registered", {
        id: table,
        ...(near !== undefined && { nearest: near }),
      });
    }
    if (id === undefined) unknown.push(`the table ${table}`);
    return id ?? table;
  });
  for (const source of grants.sources)
    if (!Object.keys(agnes.workspace.config.sources).some((one) => same(one, source)))
      unknown.push(`the source ${source}`);
  for (const folder of grants.folders)
    if (
      ![...Object.values(mapping), ...tables.map((table) => folderOf(table, mapping))].some((one) =>
        same(one, folder),
      )
    )
      unknown.push(`the folder ${folder}`);
  return { grants: { ...grants, tables: ids }, unknown };
}
