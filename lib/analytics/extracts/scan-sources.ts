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
import { isFolderAsChecked } from "./as-checked.ts";
import { MacroLists } from "./macro-lists.ts";
import { scanExtract } from "./scan-extract.ts";
import { groupTwins, knownNames } from "./twins.ts";

/** One folder of `extracts/`. */
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
      /** Of the state that stays shown. */
      readonly digest: string | null;
      readonly strange: string;
    };

/** Looks at every extract that changed since the last rebuild. */
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
    const one = await lookAt(services.host, request, { root, source, before: before.get(source) });
    if (one !== null) found.set(source, one);
  }
  const expected = [...(request.sources ?? []), ...(request.owners ?? []).map(({ source }) => source)];
  const groups = groupTwins([...found.keys()], knownNames(previous, last, expected));
  // Ours need no list of their macros.
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
    let shown = owner;
    for (const source of candidates) {
      throwIfAborted(request.signal, "the rebuild of analytics");
      const one = found.get(source)!;
      if (shown !== null && shown !== source) {
        scans.push(leftOut(one, shown));
        continue;
      }
      const scan =
        one.kind === "changed"
          ? await scanOne(services, request, lists, { ...one, isNew: !showing.has(source) })
          : one;
      scans.push(scan);
      if (scan.kind === "kept" ? showing.has(source) : scan.kind === "scanned" && scan.tables.length > 0)
        shown = source;
    }
    for (const source of displaced) scans.push(leftOut(found.get(source)!, owner!));
  }
  return scans;
}

/** A folder of `extracts/` before its extract is read. */
type Found = Scanned | (SourceScan & { readonly kind: "kept" | "scanned" });

/** What a folder is, as far as its name and the file's state tell; null when it holds no extract. */
async function lookAt(
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
    (await isFolderAsChecked(host.files, before));
  return isSame && request.full !== true
    ? { kind: "kept", source, previous: before }
    : { kind: "changed", ...folder, directory, fingerprint };
}

function leftOut(one: Found, twin: string): SourceScan {
  const directory = one.kind === "kept" ? one.previous.directory : one.directory;
  return skippedScan(one.source, directory, `the source's name differs from ${twin} only in case`);
}

/** It is looked at again every time, because the reason can pass while the extract stays as it is. */
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

/** The fingerprint that no extract has. */
export const UNKNOWN = "";

/** How long one extract may take by default. */
const EXTRACT_TIMEOUT_MS = 60_000;

/** An extract that is to be read. */
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
    // What an extract makes DuckDB say can look like any error, so nothing but a stop that was asked for counts.
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

/** Decides how a database is attached, and tries. */
async function placeRemote(
  services: AnalyticsServices,
  request: RebuildRequest,
  source: string,
  remote: RemoteAttachInfo,
): Promise<RemoteDatabase> {
  const { env } = services.host;
  const said = (await request.declaredRemote?.(source)) ?? null;
  const problem = said !== null && "problem" in said ? said.problem : null;
  const declared = said === null || "problem" in said ? null : said;
  const same =
    declared !== null &&
    declared.extension === remote.extension &&
    declared.url === remote.url &&
    declared.tokenEnv === remote.tokenEnv;
  const extensions = ownFirst(request.extensions ?? [], request.configured?.(source)?.plugin);
  const plan = planAttach(remote, same ? declared : null, extensions);
  const asked = { ...remote, declared: same, plan };
  if (isAnyHost(env, asked)) {
    services.log.warn(
      "an extract can send a token to any host; AGNES_REMOTE_ATTACH_HOST_ALLOWLIST restricts the hosts",
      { source },
    );
  }
  const refusal = refusalOf(env, asked);
  if (refusal !== null) {
    const moved =
      declared !== null && !same
        ? `; run \`agnes sync ${source}\`: its plugin declares another database`
        : "";
    return { ...asked, refusal: problem ?? `${refusal}${moved}` };
  }
  return { ...asked, refusal: await tryAttach(services, request, source, asked) };
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
  // Within the clock's resolution a second change would look the same; such a file is looked at again next time.
  const recent = nowMs - stat.modifiedAtMs < (Number.isInteger(stat.modifiedAtMs / 1000) ? 2500 : 50);
  return `${stat.sizeBytes} ${stat.modifiedAtMs}${recent ? ` ${nowMs}` : ""}`;
}

/** What else decides how a source is shown. */
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
