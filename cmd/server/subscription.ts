import { AgnesError, counted, formatValue, isAgnesError, nearest } from "../../lib/base/mod.ts";
import type { Cli } from "../cli/cli.ts";
import { printRows } from "../terminal/print-rows.ts";
import { serverCatalog } from "./catalog.ts";
import type { ServerClient } from "./client.ts";
import { serverOnlyArgs } from "./server-args.ts";

const PATH = "/api/sync/table-subscriptions";

/** The arguments of the commands that choose tables. */
export const choiceArgs = {
  ...serverOnlyArgs,
  table: {
    type: "positional",
    required: false,
    valueHint: "TABLE …",
    description: "Tables, by view name or SOURCE.TABLE",
  },
  group: {
    type: "string",
    valueHint: "GROUP",
    description: "All tables with this `dataset`; may be repeated",
  },
  folder: {
    type: "string",
    valueHint: "FOLDER",
    description: "All tables in this folder; may be repeated",
  },
} as const;

type Choices = Readonly<Record<string, boolean>>;

/** Settings to change; null removes one. */
type Changes = Readonly<Record<string, boolean | null>>;

interface SubscriptionChange {
  readonly table_mode?: SentSubscription["table_mode"];
  readonly tables?: Changes;
  readonly groups?: Changes;
  readonly folders?: Changes;
}

/** What a user subscribes to, as the server sends it. */
export interface SentSubscription {
  readonly table_mode: "all" | "explicit";
  readonly tables: Choices;
  readonly groups: Choices;
  readonly folders: Choices;
}

export function readSubscription(server: ServerClient): Promise<SentSubscription> {
  return server.json<SentSubscription>(PATH);
}

export function changeSubscription(
  server: ServerClient,
  change: SubscriptionChange,
): Promise<SentSubscription> {
  return server.json<SentSubscription>(PATH, { json: change });
}

/**
 * Sets tables, groups and folders to one value, and prints the subscription.
 * @throws `usage_wrong`, `subscription_unknown` with the names of the command line
 */
export async function setChoices(
  cli: Cli,
  server: ServerClient,
  options: {
    readonly tables: readonly string[];
    readonly groups: readonly string[];
    readonly folders: readonly string[];
    /** Null: no setting of their own. */
    readonly isSubscribed: boolean | null;
  },
): Promise<void> {
  const { tables, groups, folders, isSubscribed } = options;
  if (tables.length + groups.length + folders.length === 0) {
    const reason = "it needs a table, --group or --folder";
    throw new AgnesError("usage_wrong", { command: cli.name, reason });
  }
  const all = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, isSubscribed]));
  const changed = await changeSubscription(server, {
    tables: all(await idsOf(cli, server, tables)),
    groups: all(groups),
    folders: all(folders),
  }).catch((error: unknown) => {
    throw withNames(error, options);
  });
  await printSubscription(cli, server, changed);
}

/** Adds the names of the command line, which no response repeats. */
function withNames(
  error: unknown,
  options: { readonly groups: readonly string[]; readonly folders: readonly string[] },
): unknown {
  if (!isAgnesError(error, "subscription_unknown")) return error;
  const { field, count } = error.details;
  if (field !== "groups" && field !== "folders") return error;
  const names = options[field];
  const named = names.map((name) => formatValue(name)).join(", ");
  const subject = count === names.length ? named : `${counted(count, "name")} of ${named}`;
  const message = `no table that you may access has the ${field.slice(0, -1)} ${subject}`;
  const command =
    field === "groups"
      ? "`agnes table update TABLE --dataset GROUP`"
      : "`agnes table update TABLE --folder FOLDER`";
  const hint = `An administrator sets it on the server: ${command}. Nothing was changed.`;
  return error.withDetails(error.details, { cause: error, texts: { message, hint } });
}

/** The ids of tables by id or view name, so that an error can name the unknown one. @throws `usage_wrong` */
async function idsOf(cli: Cli, server: ServerClient, names: readonly string[]): Promise<readonly string[]> {
  if (names.length === 0) return [];
  const catalog = await serverCatalog(server);
  const ids = new Map(catalog.map(({ name, id }) => [name.toLowerCase(), id]));
  for (const { id } of catalog) ids.set(id.toLowerCase(), id);
  return names.map((name) => {
    const id = ids.get(name.toLowerCase());
    if (id !== undefined) return id;
    const near = nearest(name, [...catalog.map((table) => table.name), ...ids.values()]);
    const next =
      near === undefined ? server.advice("`agnes catalog` lists the tables.") : `Did you mean ${near}?`;
    const reason = `the server lists no table ${formatValue(name)}`;
    throw new AgnesError("usage_wrong", { command: cli.name, reason, next });
  });
}

/** Prints a subscription, and how it works if it is not what it seems to be. */
export async function printSubscription(
  cli: Cli,
  server: ServerClient,
  subscription: SentSubscription,
): Promise<void> {
  if (cli.json) return cli.printJson(subscription);
  const { table_mode: mode } = subscription;
  const rows = (["tables", "groups", "folders"] as const).flatMap((kind) =>
    Object.entries(subscription[kind]).map(([name, isSubscribed]) => [
      kind.slice(0, -1),
      name,
      isSubscribed ? "yes" : "no",
    ]),
  );
  const column = mode === "explicit" ? "subscribed" : "in mode explicit";
  if (rows.length > 0) await printRows(cli, ["kind", "name", column], rows);
  if (mode === "explicit")
    return cli.info(
      rows.some(([, , subscribed]) => subscribed === "yes")
        ? "The mode is explicit."
        : "The mode is explicit, and you subscribe to nothing: the next pull removes all tables of a copy.",
    );
  const advice = server.advice("`agnes subscription mode explicit`");
  return cli.info(
    rows.length > 0
      ? `The mode is all: you subscribe to every table, and these settings have no effect. ${advice} applies them.`
      : "The mode is all: you subscribe to every table.",
  );
}
