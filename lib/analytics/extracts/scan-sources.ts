import { createHash } from "node:crypto";
import { join, resolve } from "node:path";

import {
  isAgnesError,
  isExposedName,
  isReservedSchema,
  messageOf,
  throwIfAborted,
  type Host,
} from "../../base/mod.ts";
import { EXTRACT_FILE } from "../../extract/format/mod.ts";
import type { RemoteAttachInfo } from "../../kit/mod.ts";
import {
  type AnalyticsSource,
  type AnalyticsState,
  type AnalyticsTable,
  type Issue,
  type RemoteDatabase,
} from "../model.ts";
import { extractsPath } from "../paths.ts";
import { attachFailure, tryRemote } from "../remote/attach.ts";
import { ownFirst, planAttach } from "../remote/plan.ts";
import { isAnyHost, refusalOf } from "../remote/refusal.ts";
import type { RebuildReport } from "../report.ts";
import type { AnalyticsServices, RebuildRequest } from "../request.ts";
import { bounded } from "./bounded.ts";
import { isFolderUnchanged } from "./unsafe-files.ts";
import { MacroLists } from "./macro-lists.ts";
import { scanExtract } from "./scan-extract.ts";
import { groupTwins, knownNames } from "./twins.ts";

/** The scan of one folder of `extracts/`. */
export type SourceScan =
  | { readonly kind: "kept"; readonly source: string; readonly previous: AnalyticsSource }
  | {
      readonly kind: "scanned";
      readonly source: string;
      readonly directory: string;
      readonly fingerprint: string;
      readonly tables: readonly AnalyticsTable[];
      readonly remotes: readonly RemoteDatabase[];
      readonly issues: readonly Issue[];
      readonly digest: string | null;
      readonly strange: string;
    }
  | {
      readonly kind: "unreadable";
      readonly source: string;
      readonly directory: string;
      readonly remotes: readonly RemoteDatabase[];
      readonly issues: readonly Issue[];
      /** The digest of the state that stays published. */
      readonly digest: string | null;
      readonly strange: string;
    };

/** Scans all extracts that changed since the last rebuild. */
export async function scanSources(
  services: AnalyticsServices,
  request: RebuildRequest,
  previous: AnalyticsState | null,
  last: RebuildReport | null,
): Promise<readonly SourceScan[]> {
  const root = resolve(extractsPath(request.dataDirectory));
  const before = new Map((previous?.sources ?? []).map((source) => [source.source, source]));
  const found = new Map<string, Found>();
  for (const source of (await services.host.files.list(root)) ?? []) {
    throwIfAborted(request.signal, "the rebuild of analytics");
    const one = await findChange(services.host, request, { root, source, before: before.get(source) });
    if (one !== null) found.set(source, one);
  }
  const expected = [...(request.sources ?? []), ...(request.owners ?? []).map(({ source }) => source)];
  const groups = groupTwins([...found.keys()], knownNames(previous, last, expected));
  // Extracts of Agnes need no list of their macros.
  const ours = new Set(
    previous?.tables.flatMap((table) => (table.generation === null ? [] : [table.source])),
  );
  const changed = groups
    .flatMap(({ candidates }) => candidates)
    .filter((source) => found.get(source)!.kind === "changed" && !ours.has(source));
  const lists = new MacroLists(services, root, changed);
  const showing = new Set(previous?.tables.map(({ source }) => source));
  const scans: SourceScan[] = [];
  for (const { candidates, displaced, owner } of groups) {
    let published = owner;
    for (const source of candidates) {
      throwIfAborted(request.signal, "the rebuild of analytics");
      const one = found.get(source)!;
      if (published !== null && published !== source) {
        scans.push(skippedTwin(one, published));
        continue;
      }
      const scan =
        one.kind === "changed"
          ? await scanOne(services, request, lists, { ...one, isNew: !showing.has(source) })
          : one;
      scans.push(scan);
      if (scan.kind === "kept" ? showing.has(source) : scan.kind === "scanned" && scan.tables.length > 0)
        published = source;
    }
    for (const source of displaced) scans.push(skippedTwin(found.get(source)!, owner!));
  }
  return scans;
}

/** A folder of `extracts/` before its extract is read. */
type Found = Scanned | (SourceScan & { readonly kind: "kept" | "scanned" });

/** Checks the name of a folder and whether its file changed; null if it contains no extract. */
async function findChange(
  host: Host,
  request: RebuildRequest,
  folder: Pick<Scanned, "root" | "source" | "before">,
): Promise<Found | null> {
  const { root, source, before } = folder;
  const directory = join(root, source);
  const stat = await statOf(host, join(directory, EXTRACT_FILE)).catch(() => UNKNOWN);
  if (stat === null) return null;
  const reason = nameProblem(source);
  if (reason !== null) return skippedScan(source, directory, reason);
  const fingerprint = `${stat} ${settingsOf(host.env, request, source)}`;
  const isSame =
    before?.fingerprint === fingerprint &&
    stat !== UNKNOWN &&
    before.directory === directory &&
    (await isFolderUnchanged(host.files, before));
  return isSame && request.full !== true
    ? { kind: "kept", source, previous: before }
    : { kind: "changed", ...folder, directory, fingerprint };
}

function skippedTwin(one: Found, twin: string): SourceScan {
  const directory = one.kind === "kept" ? one.previous.directory : one.directory;
  return skippedScan(one.source, directory, `the source's name differs from ${twin} only in case`);
}

/** A skipped folder. Every rebuild checks it again, because the reason may disappear without a change of the extract. */
function skippedScan(
  source: string,
  directory: string,
  reason: string,
): SourceScan & { readonly kind: "scanned" } {
  return {
    kind: "scanned",
    source,
    directory,
    fingerprint: UNKNOWN,
    tables: [],
    remotes: [],
    issues: [{ kind: "skipped", name: source, reason }],
    digest: null,
    strange: "",
  };
}

/** A fingerprint that differs from those of all extracts. */
export const UNKNOWN = "";

/** The default timeout for one extract. */
const EXTRACT_TIMEOUT_MS = 60_000;

/** An extract to read. */
interface Scanned {
  readonly kind: "changed";
  readonly root: string;
  readonly source: string;
  readonly directory: string;
  readonly fingerprint: string;
  readonly before: AnalyticsSource | undefined;
}

async function scanOne(
  services: AnalyticsServices,
  request: RebuildRequest,
  lists: MacroLists,
  { root, source, directory, fingerprint, before, isNew }: Scanned & { readonly isNew: boolean },
): Promise<SourceScan> {
  try {
    const { limits } = services;
    const { extensions } = request;
    const what = `reading the extract of ${source}`;
    const timeoutMs = request.extractTimeoutMs ?? EXTRACT_TIMEOUT_MS;
    const macros = (signal: AbortSignal) => lists.of(source, signal);
    const scan = await bounded(what, timeoutMs, request.signal, (signal) =>
      scanExtract({ files: services.host.files, root, source, limits, extensions, macros, isNew, signal }),
    );
    const remotes: RemoteDatabase[] = [];
    for (const remote of scan.remotes) {
      remotes.push(await placeRemote(services, request, source, remote));
    }
    return {
      kind: "scanned",
      source,
      directory,
      fingerprint,
      tables: scan.tables,
      remotes,
      issues: scan.issues,
      digest: scan.digest,
      strange: scan.strange,
    };
  } catch (error) {
    // An extract can cause any DuckDB error, so only a requested abort stops the rebuild.
    throwIfAborted(request.signal, "the rebuild of analytics");
    const reason = messageOf(error);
    services.log.error("an extract cannot be read; its earlier tables stay published", { source, reason });
    const code = isAgnesError(error) ? error.code : "extract_unreadable";
    const issue: Issue = { kind: "error", name: source, code, reason };
    return {
      kind: "unreadable",
      source,
      directory,
      remotes: before?.remotes ?? [],
      issues: [issue],
      digest: before?.digest ?? null,
      strange: before?.strange ?? "",
    };
  }
}

/** Plans how a database is attached, and tests it. */
async function placeRemote(
  services: AnalyticsServices,
  request: RebuildRequest,
  source: string,
  remote: RemoteAttachInfo,
): Promise<RemoteDatabase> {
  const { env } = services.host;
  const response = (await request.declaredRemote?.(source)) ?? null;
  const problem = response !== null && "problem" in response ? response.problem : null;
  const declared = response === null || "problem" in response ? null : response;
  const same =
    declared !== null &&
    declared.extension === remote.extension &&
    declared.url === remote.url &&
    declared.tokenEnv === remote.tokenEnv;
  const extensions = ownFirst(request.extensions ?? [], request.configured?.(source)?.plugin);
  const plan = planAttach(remote, same ? declared : null, extensions);
  const requested = { ...remote, declared: same, plan };
  if (isAnyHost(env, requested)) {
    services.log.warn(
      "an extract can send a token to any host; AGNES_REMOTE_ATTACH_HOST_ALLOWLIST restricts the hosts",
      { source },
    );
  }
  const refusal = refusalOf(env, requested);
  if (refusal !== null) {
    const moved =
      declared !== null && !same
        ? `; run \`agnes sync ${source}\`: its plugin declares another database`
        : "";
    return { ...requested, refusal: problem ?? `${refusal}${moved}` };
  }
  return { ...requested, refusal: await tryAttach(services, request, source, requested) };
}

async function tryAttach(
  services: AnalyticsServices,
  { extensions = [], installExtensions: install = false, attachTimeoutMs: timeoutMs, signal }: RebuildRequest,
  source: string,
  remote: Omit<RemoteDatabase, "refusal">,
): Promise<string | null> {
  try {
    await tryRemote(services, { source, remote, extensions, install, timeoutMs, signal }, async () => {});
    return null;
  } catch (error) {
    throwIfAborted(signal, "the rebuild of analytics");
    return attachFailure(services.host.env, remote, error);
  }
}

function nameProblem(source: string): string | null {
  if (!isExposedName(source)) return "the folder's name is not a valid source name";
  return isReservedSchema(source) ? "the source's name has another meaning in SQL; rename the folder" : null;
}

async function statOf(host: Host, path: string): Promise<string | null> {
  const stat = await host.files.stat(path);
  if (stat === null) return null;
  const nowMs = host.now().getTime();
  // A second change within the clock's resolution would not be visible, so such a file is scanned again next time.
  const recent = nowMs - stat.modifiedAtMs < (Number.isInteger(stat.modifiedAtMs / 1000) ? 2500 : 50);
  return `${stat.sizeBytes} ${stat.modifiedAtMs}${recent ? ` ${nowMs}` : ""}`;
}

/** Returns the settings that affect how a source is published. */
function settingsOf(env: Host["env"], request: RebuildRequest, source: string): string {
  const names = ["EXTENSIONS", "TOKEN_ENVS", "HOST_ALLOWLIST"].map(
    (name) => env[`AGNES_REMOTE_ATTACH_${name}`] ?? "-",
  );
  const settings = JSON.stringify([request.extensions ?? [], request.configured?.(source)?.settings ?? ""]);
  return [
    ...names,
    request.declaredRemote === undefined ? "lists" : "declared",
    createHash("sha256").update(settings).digest("hex").slice(0, 16),
  ].join(" ");
}
