import { AgnesError, isAgnesError } from "../../base/mod.ts";
import { duckdbTypeOf } from "../../duckdb/mod.ts";
import type { TableInfo } from "../../kit/mod.ts";
import { registerCommand, storedPlan, type RegistrationPlan } from "../../tables/mod.ts";
import { hidePaths } from "../http/hide-paths.ts";
import { problemBody } from "../http/problem.ts";
import { route, type Route } from "../http/route.ts";
import type { ServeServices } from "../services.ts";
import { changeBy, changeOf, checkSource, withoutValues } from "./changes.ts";
import {
  discoverBody,
  discoveredBody,
  discoverQuery,
  precheckBody,
  newTable,
  sourceQuery,
} from "./schemas.ts";
import { sourceStatuses } from "./statuses.ts";

const TAG = "registry";

/** The routes that list the tables of sources. */
export function discoveryRoutes(): readonly Route[] {
  return [precheckRoute(), discoverRoute(), discoverAndRegisterRoute()];
}

function precheckRoute(): Route {
  return route({
    method: "post",
    path: "/api/admin/register-table/precheck",
    operationId: "precheckTable",
    tag: TAG,
    summary: "Check a table in its source before it is registered",
    description: "Calls the source if it can list its tables. Nothing is written.",
    access: "admin",
    body: newTable,
    responses: { 200: { description: "It can be registered", schema: precheckBody } },
    errors: sourceStatuses,
    async handle({ services, principal, body, request }) {
      const source = checkSource(services, body.source, "body");
      const registry = await services.workspace.tables();
      const options = { ...changeBy(principal, undefined), dryRun: true };
      const { table } = await withoutValues(registry.register(changeOf(body), options));
      const isChecked = canList(services, source) && table.sourceTable !== null && table.sourceQuery === null;
      const info = isChecked ? await tableOf(services, source, table.sourceTable!, request.signal) : null;
      return Response.json({
        ok: true,
        checked: isChecked ? "source" : "registry",
        table: {
          id: table.id,
          name: table.viewName,
          rows: info?.estimatedRows ?? null,
          size_bytes: info?.estimatedBytes ?? null,
          columns: info && columnsOf(info),
          primary_key: info && info.primaryKey,
        },
      });
    },
  });
}

/** Finds a table in its source. @throws `source_table_missing`, and why the table cannot be read */
async function tableOf(services: ServeServices, source: string, name: string, signal: AbortSignal) {
  const tables = await services.workspace.connectors.discover(source, { signal });
  const info = tables.find((table) => table.name === name);
  if (info === undefined) throw new AgnesError("source_table_missing", { source });
  if (info.problem !== undefined) throw info.problem;
  return info;
}

function discoverRoute(): Route {
  return route({
    method: "get",
    path: "/api/admin/discover-tables",
    operationId: "discoverTables",
    tag: TAG,
    summary: "List the tables of a source",
    description: "Calls the source.",
    access: "admin",
    query: sourceQuery,
    responses: { 200: { description: "The tables of the source", schema: discoverBody } },
    errors: sourceStatuses,
    async handle({ services, query, request }) {
      const source = checkSource(services, query.source, "query string");
      const tables = await services.workspace.connectors.discover(source, { signal: request.signal });
      return Response.json({
        source,
        tables: tables.map((info) => ({
          name: info.name,
          description: info.description ?? "",
          columns: columnsOf(info),
          primary_key: info.primaryKey,
          cursor: info.cursor ?? null,
          rows: info.estimatedRows ?? null,
          size_bytes: info.estimatedBytes ?? null,
          problem: info.problem === undefined ? null : hidePaths(info.problem.message, services.folders),
        })),
      });
    },
  });
}

function discoverAndRegisterRoute(): Route {
  return route({
    method: "post",
    path: "/api/admin/discover-and-register",
    operationId: "discoverAndRegister",
    tag: TAG,
    summary: "Register the new tables of sources",
    description: "Calls the sources. Registered tables keep their settings.",
    access: "admin",
    isLong: true,
    query: discoverQuery,
    responses: { 200: { description: "What was registered", schema: discoveredBody } },
    errors: sourceStatuses,
    async handle({ services, principal, query, request }) {
      const all = Object.keys(services.workspace.workspace.config.sources);
      const wanted = query.source?.split(",").map((name) => checkSource(services, name, "query string"));
      const names = wanted ?? all.filter((name) => canList(services, name));
      const isOne = wanted?.length === 1;
      const options = {
        ...changeBy(principal, undefined, query),
        again: query.again === "true",
      };
      const plans: RegistrationPlan[] = [];
      const errors: object[] = [];
      for (const source of names) {
        try {
          const { connectors, plugins } = services.workspace;
          const discovered = await connectors.discover(source, { signal: request.signal });
          const { capabilities } = plugins.get(pluginOf(services, source));
          const registry = await services.workspace.tables();
          plans.push(await registry.registerDiscovered(source, discovered, { ...options, capabilities }));
        } catch (error) {
          // The tables of the other sources are still registered and reported.
          if (!isAgnesError(error) || request.signal.aborted || isOne) throw error;
          errors.push({ source, ...problemBody(error, services.folders).error });
        }
      }
      const count = (...kinds: readonly string[]) =>
        plans.flatMap(({ candidates }) => candidates).filter(({ kind }) => kinds.includes(kind)).length;
      return Response.json({
        dry_run: options.dryRun,
        registered: count("new"),
        skipped: count("existing", "unregistered", "left_out"),
        errors,
        not_listed: wanted === undefined ? notListed(services) : [],
        drifted: count("drifted"),
        invalid: count("invalid", "unreadable"),
        sources: plans.map((plan) => withoutPaths(plan, services)).map(storedPlan),
      });
    },
  });
}

/** The sources that cannot list their tables, and the command that registers one of them. */
function notListed(services: ServeServices): readonly object[] {
  const { plugins, workspace } = services.workspace;
  return Object.keys(workspace.config.sources)
    .filter((source) => !canList(services, source))
    .map((source) => {
      const { capabilities } = plugins.get(pluginOf(services, source));
      return { source, register_command: registerCommand(source, capabilities) };
    });
}

/** A plan whose reasons have no folders of the machine. Names of tables stay, even if they look like paths. */
function withoutPaths(plan: RegistrationPlan, { folders }: ServeServices): RegistrationPlan {
  const candidates = plan.candidates.map((one) =>
    "reason" in one ? { ...one, reason: String(hidePaths(one.reason, folders)) } : one,
  );
  return { ...plan, candidates };
}

function pluginOf({ workspace }: ServeServices, source: string): string {
  return workspace.workspace.config.sources[source]!.plugin;
}

/** Whether the plugin of a source can list its tables. */
function canList(services: ServeServices, source: string): boolean {
  const name = pluginOf(services, source);
  const loaded = services.workspace.plugins.list().find((plugin) => plugin.name === name);
  return loaded === undefined || loaded.capabilities.includes("discover");
}

function columnsOf({ schema }: TableInfo) {
  return schema.fields.map((field) => ({
    name: field.name,
    type: duckdbTypeOf(field),
    nullable: field.nullable,
  }));
}
