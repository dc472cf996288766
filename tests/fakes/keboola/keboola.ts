import { createHost, type Host } from "../../../lib/base/mod.ts";
import { fakeHost, type FakeHost, type FakeHostOptions, type FakeServer } from "agnes/testing";

import { faultyFetch } from "../../../lib/testing/fakes/faulty-fetch.ts";
import { seededRandom } from "../../../lib/testing/fakes/fake-host.ts";
import type { ApiContext } from "./api.ts";
import { awsCloud } from "./aws.ts";
import { azureCloud } from "./azure.ts";
import type { KeboolaCloud } from "./cloud.ts";
import { respondWithFault } from "./faults.ts";
import { FileStorage, type KeboolaFile } from "./files.ts";
import { gcpCloud } from "./gcp.ts";
import { JobQueue, type StorageJob } from "./jobs.ts";
import { OpenBodies } from "./open-bodies.ts";
import { plainCloud } from "./plain.ts";
import { findCall } from "./routes.ts";
import type { KeboolaRequest, KeboolaScript, KeboolaStep, RequestHook } from "./script.ts";
import { KeboolaStorage } from "./storage.ts";
import type { ProjectName, World } from "./table.ts";
import type { KeboolaToken } from "./tokens.ts";

/** The stack that the fake is. */
export const KEBOOLA_STACK = "https://connection.keboola.test";
/** The token of all buckets. */
export const KEBOOLA_TOKEN = "8625-373115-5ecretTokenOfTheProject0123456789";

/** Keboola Storage, its clouds, and what they received. */
export interface FakeKeboola extends FakeServer {
  readonly stack: string;
  readonly token: string;
  /** The buckets and tables of the default branch. */
  readonly storage: KeboolaStorage;
  /** All requests that were not lost to `inject`, also those to clouds. */
  readonly requests: readonly KeboolaRequest[];
  requestsOf(step: KeboolaStep): readonly KeboolaRequest[];
  readonly jobs: readonly StorageJob[];
  readonly files: readonly KeboolaFile[];
  /** The most jobs that were running or waiting at once. */
  readonly unfinishedJobsMax: number;
  /** The most jobs that were running at once. */
  readonly runningJobsMax: number;
  /** The most slices that were being downloaded at once. */
  readonly openSlicesMax: number;
  /** The hosts outside the stack that received the storage token. From then on every request fails. */
  readonly leaks: readonly string[];
  /** A host whose clock is also that of the fake. */
  host(options?: FakeHostOptions): FakeHost;
  /** Adds a branch without tables. */
  createBranch(id: number, name?: string): KeboolaStorage;
  /** Creates another project, whose buckets can be linked. */
  createProject(project: ProjectName): KeboolaStorage;
  /** Creates a token, by default for all buckets; returns its value. */
  createToken(options?: Partial<Omit<KeboolaToken, "id" | "token">>): string;
  /** Replaces the hook of the script. */
  onRequest(hook: RequestHook | undefined): void;
  /** Expires all links and credentials of clouds given so far. */
  expireCredentials(): void;
}

/** Creates a fake of Keboola Storage; see mod.ts for what it is faithful to. */
export function fakeKeboola(script: KeboolaScript = {}): FakeKeboola {
  let clock: Pick<Host, "now"> = script.clock ?? createHost();
  let hook = script.onRequest;
  const now = () => clock.now();
  const random = seededRandom(script.seed ?? 1);
  let ids = 22_070_000;
  const nextId = () => (ids += 1);
  const world: World = { now, nextId, random, backend: script.backend ?? "snowflake" };
  const project = { id: script.projectId ?? 8625, name: "Test Project" };
  const branches = [new KeboolaStorage(project, { id: 5, name: "Main", isDefault: true }, world)];
  const tokens: KeboolaToken[] = [];
  const createToken: FakeKeboola["createToken"] = (options = {}) => {
    const number = tokens.length;
    const token = number === 0 ? KEBOOLA_TOKEN : `8625-${373_115 + number}-5ecretTokenNumber${number}`;
    const defaults = { description: "devel@keboola.com", expires: null, isDisabled: false };
    const isForAll = options.bucketPermissions == null;
    const permissions = {
      bucketPermissions: null,
      canManageBuckets: isForAll,
      canReadAllFileUploads: isForAll,
    };
    tokens.push({ ...defaults, ...permissions, ...options, id: String(373_115 + number), token });
    return token;
  };
  createToken();
  const cloud = cloudOf(script, now);
  const files = new FileStorage(cloud, script, world);
  const {
    jobsParallelism: parallelism = 10,
    jobPolls: polls = 1,
    jobDurationMs: durationMs = 60_000,
  } = script;
  const jobs = new JobQueue({ now, nextId, parallelism, polls, durationMs });
  const context: ApiContext = {
    base: `${KEBOOLA_STACK}/v2/storage`,
    script,
    world,
    tokens,
    branches,
    files,
    jobs,
    cached: new Map(),
  };

  const requests: KeboolaRequest[] = [];
  const counts = new Map<KeboolaStep, number>();
  const leaks: string[] = [];
  const open = new OpenBodies();
  const answer = async (...[input, init]: Parameters<typeof fetch>): Promise<Response> => {
    const request = new Request(input as string, init as RequestInit);
    request.signal.throwIfAborted();
    const url = new URL(request.url);
    const { method, headers } = request;
    const bytes = new Uint8Array(await request.arrayBuffer());
    const body = Buffer.from(bytes).toString();
    const isStack = url.origin === KEBOOLA_STACK;
    const hasToken = tokens.some(({ token }) => carries(token, request.url, headers, body));
    if (hasToken && !isStack) leaks.push(url.host);
    if (leaks.length > 0) throw new Error(`the storage token was sent to ${leaks.join(", ")}`);
    if (!isStack && !cloud.serves(url)) throw unknownHost(url.hostname);
    const call = isStack
      ? findCall({ method, url, headers, body }, (path) => jobPath(path, script, jobs.jobs))
      : null;
    const step = call?.step ?? cloudStep(cloud, method, url);
    const received: KeboolaRequest = {
      method,
      url: request.url,
      host: url.host,
      headers,
      step,
      hasToken,
      body,
    };
    requests.push(received);
    const n = (counts.get(step) ?? 0) + 1;
    counts.set(step, n);
    const send = () =>
      call === null ? cloud.respond({ method, url, headers, body: bytes }) : call.answer(context);
    const fault = hook?.(step, n, received);
    const target = { now: now(), jobs, id: call?.id };
    const response = await (fault === undefined ? send() : respondWithFault(fault, send, target));
    request.signal.throwIfAborted();
    return step === "slice" ? open.watch(response) : response;
  };

  const network = faultyFetch(answer as typeof fetch);
  const keboola = {
    stack: KEBOOLA_STACK,
    token: KEBOOLA_TOKEN,
    storage: branches[0]!,
    requests,
    leaks,
    jobs: jobs.jobs,
    files: files.files,
    get unfinishedJobsMax() {
      return jobs.unfinishedMax;
    },
    get runningJobsMax() {
      return jobs.runningMax;
    },
    get openSlicesMax() {
      return open.max;
    },
    requestsOf: (step: KeboolaStep) => requests.filter((request) => request.step === step),
    shortenNextPage() {
      throw new Error("the API of Keboola Storage has no pages");
    },
    host(options: FakeHostOptions = {}) {
      const host = fakeHost({ fetch: network.fetch, ...options });
      clock = host;
      return host;
    },
    createBranch(id: number, name = `branch ${id}`) {
      const branch = new KeboolaStorage(project, { id, name, isDefault: false }, world);
      branches.push(branch);
      return branch;
    },
    createProject: (other: ProjectName) =>
      new KeboolaStorage(other, { id: 1, name: "Main", isDefault: true }, world),
    createToken,
    onRequest(next: RequestHook | undefined) {
      hook = next;
    },
    expireCredentials: () => cloud.expire(),
  };
  return Object.defineProperties(
    keboola,
    Object.getOwnPropertyDescriptors(network),
  ) as unknown as FakeKeboola;
}

function cloudOf(script: KeboolaScript, now: () => Date): KeboolaCloud {
  const options = { now, ranges: script.ranges ?? true };
  switch (script.provider ?? "https") {
    case "aws":
      return awsCloud(options);
    case "azure":
      return azureCloud({ ...options, azurite: script.azurite, scheme: script.azureScheme ?? "azure" });
    case "gcp":
      return gcpCloud(options);
    case "https":
      return plainCloud(options);
  }
}

function cloudStep(cloud: KeboolaCloud, method: string, url: URL): KeboolaStep {
  if (method === "PUT" || method === "POST") return "upload";
  return cloud.keyOf(url)?.endsWith("manifest") === true ? "manifest" : "slice";
}

/** Whether a request carries the token anywhere, also encoded. */
function carries(token: string, url: string, headers: Headers, body: string): boolean {
  const texts = [url, body, ...[...headers].map(([, value]) => value)];
  return texts.some((text) => text.includes(token) || text.includes(encodeURIComponent(token)));
}

/** Returns the usual path of a job for the path that a script chose; the usual one is then unknown. */
function jobPath(path: string, { jobUrl }: KeboolaScript, jobs: readonly StorageJob[]): string {
  if (jobUrl === undefined) return path;
  const job = jobs.find(({ id }) => new URL(jobUrl(id)).pathname === path);
  if (job !== undefined) return `/v2/storage/jobs/${job.id}`;
  return /\/jobs\/\d+$/.test(path) ? "/unknown" : path;
}

function unknownHost(hostname: string): TypeError {
  const cause = Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: "ENOTFOUND" });
  return new TypeError("fetch failed", { cause });
}
