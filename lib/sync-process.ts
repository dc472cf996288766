import type { AgnesOptions } from "./agnes.ts";
import { createHost, endWithParent, isAgnesError, knownError, type Host } from "./base/mod.ts";
import { ProfileUpdates } from "./profile/mod.ts";
import type { SourceServices } from "./sources/mod.ts";
import {
  checkSources,
  syncSource,
  takeParent,
  type HealthTask,
  type ProfilesTask,
  type SourceReport,
  type SourceTask,
  type TaskParent,
  type TaskWorkspace,
} from "./sync/mod.ts";
import { openWorkspace, type Workspace } from "./workspace/mod.ts";
import { workspaceServices } from "./workspace-services.ts";
import { WorkspaceState } from "./workspace-state.ts";

/**
 * Runs this process as one of `syncProcesses`, until its task ends: the run of a source, the profiles of tables that a sync
 * changed, or the health checks of sources. Its standard streams belong to its parent; the console writes to the log of the
 * parent.
 *
 * Programs that are bundled into one file, and programs whose plugins are no modules of their own, call it when they are
 * started with `syncProcesses.command` of `createAgnes`, before anything else. Other programs do not need it.
 *
 * @param options.plugins the plugins of `createAgnes`
 *
 * @example
 * ```ts
 * import { createAgnes, runSyncProcess } from "agnes";
 * import files from "agnes/plugins/files";
 *
 * const plugins = [files];
 * if (process.argv[2] === "sync-process") await runSyncProcess({ plugins });
 * const command = [process.execPath, process.argv[1]!, "sync-process"] as const;
 * await using agnes = await createAgnes({ plugins, syncProcesses: { command } });
 * const { status } = await agnes.sync();
 * console.log(status);
 * ```
 */
export async function runSyncProcess(
  options: Pick<AgnesOptions, "plugins" | "importPlugin" | "onConnect">,
): Promise<never> {
  const origins: ReadonlySet<string>[] = [];
  const secrets: Iterable<string> = {
    *[Symbol.iterator]() {
      for (const origin of origins) yield* origin;
    },
  };
  const parent = takeParent(secrets);
  await endWithParent({ isGroup: true });
  const withOrigins = {
    ...options,
    onConnect(origin: Parameters<NonNullable<AgnesOptions["onConnect"]>>[0]) {
      origins.push(origin.secrets);
      options.onConnect?.(origin);
    },
  };
  try {
    const { task, workspace } = await parent.assignment;
    switch (task.kind) {
      case "source": {
        const report = await runSource(parent, task, await servicesOf(parent, workspace, withOrigins));
        return await parent.end({ type: "report", report });
      }
      case "profiles":
        await updateProfiles(parent, task, workspace);
        return await parent.end({ type: "done" });
      case "health":
        await checkHealth(parent, task, await servicesOf(parent, workspace, withOrigins));
        return await parent.end({ type: "done" });
    }
  } catch (error) {
    return parent.end({ type: "failed", error: knownError(error) });
  }
}

type PluginOptions = Pick<AgnesOptions, "plugins" | "importPlugin" | "onConnect">;

/** What the sources of the workspace need. */
async function servicesOf(
  parent: TaskParent,
  task: TaskWorkspace,
  options: PluginOptions,
): Promise<SourceServices> {
  const host = parent.watched(createHost());
  const workspace = await workspaceOf(host, task);
  const withModules = { ...workspace.config, plugins: [...task.plugins, ...workspace.config.plugins] };
  const { log } = parent;
  const services = await workspaceServices(host, { ...workspace, config: withModules }, { ...options, log });
  return { ...services, workspace };
}

async function runSource(
  parent: TaskParent,
  { source, runId, only, full, actor }: SourceTask,
  services: SourceServices,
): Promise<SourceReport> {
  const { signal, registration } = parent;
  const state = new WorkspaceState(services, { actor });
  try {
    const tables = await state.tables();
    return await syncSource(
      { ...services, tables },
      {
        source,
        runId,
        only,
        full,
        signal,
        registration,
        onProgress: (progress) => parent.send({ type: "progress", progress }),
      },
    );
  } finally {
    await state.close();
  }
}

/** No plugin is loaded for it. */
async function updateProfiles(
  { log, signal, send }: TaskParent,
  { tables, timeoutMs }: ProfilesTask,
  { config, dataDirectory }: TaskWorkspace,
): Promise<void> {
  const services = { host: createHost(), log, limits: config.limits, workspace: { dataDirectory } };
  await new ProfileUpdates(services).update(tables, {
    timeoutMs,
    signal,
    onBegin: (name) => send({ type: "begun", name }),
    onOutcome: (outcome) => send({ type: "profiled", outcome }),
  });
}

async function checkHealth(
  { signal, send }: TaskParent,
  { sources }: HealthTask,
  services: SourceServices,
): Promise<void> {
  await checkSources(services, sources, {
    signal,
    onBegin: (name) => send({ type: "begun", name }),
    onResult: async (result) => send({ type: "checked", result }),
  });
}

/** The workspace of the parent. The places of its settings are known if the file has not changed since. */
async function workspaceOf(
  host: Host,
  { directory, dataDirectory, config }: TaskWorkspace,
): Promise<Workspace> {
  try {
    const { config: current, placeOf } = await openWorkspace(host, { exact: directory });
    const isSame = JSON.stringify(current) === JSON.stringify(config);
    return { directory, dataDirectory, config, ...(isSame && placeOf && { placeOf }) };
  } catch (error) {
    if (!isAgnesError(error)) throw error;
    return { directory, dataDirectory, config };
  }
}
