import type * as v from "valibot";

import { AgnesError } from "../../base/mod.ts";
import type { Principal } from "../auth/principal.ts";
import { route, type Route } from "../http/route.ts";
import type { ServeServices } from "../services.ts";
import { accessibleTables, accessTest, subscriptionOf } from "./caller.ts";
import type { ManifestTable } from "./manifest-table.ts";
import { settingsBody, settingsChange, subscriptionBody, subscriptionChange } from "./schemas.ts";
import type { Subscription } from "./subscriptions.ts";

const PATH = "/api/sync/table-subscriptions";
/** The path of an earlier system. */
const ALIAS = "/api/table-subscriptions";
/** Only the groups, by the name that the earlier system has for them. */
const SETTINGS = "/api/sync/settings";

/** Which tables a user gets by the manifest. */
export function subscriptionRoutes(): readonly Route[] {
  return [
    getRoute(PATH, "getSubscription"),
    changeRoute(PATH, "changeSubscription"),
    getRoute(ALIAS, "getTableSubscriptions"),
    changeRoute(ALIAS, "changeTableSubscriptions"),
    getSettings(),
    changeSettings(),
  ];
}

const DESCRIPTION = "It belongs to the name of the token, so all tokens of this name share it.";

function getRoute(path: string, operationId: string): Route {
  return route({
    method: "get",
    path,
    operationId,
    tag: "distribution",
    summary: "Return what the caller subscribes to",
    description: DESCRIPTION,
    access: "signed_in",
    responses: { 200: { description: "The subscription", schema: subscriptionBody } },
    errors: [503, 507],
    handle: async ({ services, principal }) => Response.json(await current(services, principal)),
  });
}

function changeRoute(path: string, operationId: string): Route {
  return route({
    method: "post",
    path,
    operationId,
    tag: "distribution",
    summary: "Change what the caller subscribes to",
    description: `A missing field or name keeps its value, null removes a name. ${DESCRIPTION}`,
    access: "signed_in",
    body: subscriptionChange,
    responses: { 200: { description: "The subscription after the change", schema: subscriptionBody } },
    errors: [503, 507],
    handle: async ({ services, principal, body }) => Response.json(await change(services, principal, body)),
  });
}

function getSettings(): Route {
  return route({
    method: "get",
    path: SETTINGS,
    operationId: "getSyncSettings",
    tag: "distribution",
    summary: "Return the datasets that the caller subscribes to",
    description: `They are \`groups\` of \`GET ${PATH}\`. ${DESCRIPTION}`,
    access: "signed_in",
    responses: { 200: { description: "The datasets", schema: settingsBody } },
    errors: [503, 507],
    handle: async ({ services, principal }) => settingsOf(await current(services, principal)),
  });
}

function changeSettings(): Route {
  return route({
    method: "post",
    path: SETTINGS,
    operationId: "changeSyncSettings",
    tag: "distribution",
    summary: "Change the datasets that the caller subscribes to",
    description: `They are \`groups\` of \`POST ${PATH}\`. A missing field or name keeps its value, null removes a name. ${DESCRIPTION}`,
    access: "signed_in",
    body: settingsChange,
    responses: { 200: { description: "The datasets after the change", schema: settingsBody } },
    errors: [503, 507],
    async handle({ services, principal, body }) {
      const { table_mode, datasets: groups } = body;
      return settingsOf(await change(services, principal, { table_mode, groups }, "datasets"));
    },
  });
}

function settingsOf({ table_mode, groups }: VisibleSubscription): Response {
  return Response.json({ table_mode, datasets: groups });
}

type VisibleSubscription = v.InferOutput<typeof subscriptionBody>;

async function current(services: ServeServices, principal: Principal): Promise<VisibleSubscription> {
  const { subscription } = await subscriptionOf(services, principal);
  return visible(subscription, await accessibleTables(services, principal));
}

async function change(
  services: ServeServices,
  principal: Principal,
  body: v.InferOutput<typeof subscriptionChange>,
  groupField: "groups" | "datasets" = "groups",
): Promise<VisibleSubscription> {
  const manifest = await services.manifests.read();
  const tables = manifest.tables.filter(await accessTest(services, principal));
  const [known, all] = [namesOf(tables), namesOf(manifest.tables)];
  const subscriptions = await services.workspace.subscriptions();
  const changed = await subscriptions.change(
    principal.name,
    {
      tableMode: body.table_mode,
      tables: checked("tables", body.tables, known.tables, all.tables),
      groups: checked(groupField, body.groups, known.groups, all.groups),
      folders: checked("folders", body.folders, known.folders, all.folders),
    },
    `${principal.name} (${principal.id})`,
  );
  return visible(changed, tables);
}

type Choices = Readonly<Record<string, boolean | null>>;

/** Returns a name as the workspace has it; undefined: it has none. */
type NameOf = (name: string) => string | undefined;

function namesOf(
  tables: readonly ManifestTable[],
): Readonly<Record<"tables" | "groups" | "folders", NameOf>> {
  const ids = new Map<string, string>();
  for (const { id, viewName } of tables) if (viewName !== null) ids.set(viewName.toLowerCase(), id);
  for (const { id } of tables) ids.set(id.toLowerCase(), id);
  return {
    tables: (name) => ids.get(name.toLowerCase()),
    groups: nameIn(tables.map(({ group }) => group)),
    folders: nameIn(tables.map(({ folder }) => folder)),
  };
}

/**
 * The choices with the names as the workspace has them.
 *
 * @param knownName finds the names that the caller may know
 * @param anyName finds all names
 * @throws `subscription_unknown`
 */
function checked(
  field: "tables" | "groups" | "datasets" | "folders",
  choices: Choices | undefined,
  knownName: NameOf,
  anyName: NameOf,
): Choices | undefined {
  if (choices === undefined) return undefined;
  const entries = Object.entries(choices);
  const unknown = entries.filter(([name, value]) => value !== null && knownName(name) === undefined);
  if (unknown.length > 0) throw new AgnesError("subscription_unknown", { field, count: unknown.length });
  // A name that is gone can be removed, but not one that only other tokens of the same user may know. Both look alike.
  const allowed = entries.filter(([name]) => knownName(name) !== undefined || anyName(name) === undefined);
  return Object.fromEntries(allowed.map(([name, value]) => [knownName(name) ?? name, value]));
}

function nameIn(names: readonly (string | null)[]): NameOf {
  const known = new Set(names);
  return (name) => (known.has(name) ? name : undefined);
}

/** A subscription without names of tables that the caller may not access. */
function visible(subscription: Subscription, tables: readonly ManifestTable[]): VisibleSubscription {
  const only = (choices: Readonly<Record<string, boolean>>, names: readonly (string | null)[]) => {
    const known = new Set(names);
    return Object.fromEntries(Object.entries(choices).filter(([name]) => known.has(name)));
  };
  return {
    table_mode: subscription.tableMode,
    tables: only(
      subscription.tables,
      tables.map(({ id }) => id),
    ),
    groups: only(
      subscription.groups,
      tables.map(({ group }) => group),
    ),
    folders: only(
      subscription.folders,
      tables.map(({ folder }) => folder),
    ),
  };
}
