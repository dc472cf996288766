import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Agnes, AgnesOptions } from "../../lib/agnes.ts";
import { createAgnes } from "../../lib/create-agnes.ts";
import type { NewToken } from "../../lib/serve/mod.ts";
import type { WorkspaceConfigInput } from "../../lib/workspace/mod.ts";
import files from "../../plugins/files/plugin.ts";
import { builtOnce, type BuiltFolder } from "../built-once.ts";

/** A served workspace with the synced tables `orders` (3 rows) and `customers` (2 rows) of the source `shop`. */
export interface Served extends AsyncDisposable {
  readonly agnes: Agnes;
  readonly directory: string;
  /** Creates a token. */
  token(token?: Partial<NewToken>): Promise<string>;
  /** Makes a request. An object as `json` is the body of a POST, unless `method` says otherwise. */
  request(
    path: string,
    options?: RequestInit & { readonly token?: string; readonly json?: unknown },
  ): Promise<Response>;
  /** Opens the workspace again, as a new server does. */
  reopened(): Promise<Pick<Served, "request"> & AsyncDisposable>;
}

/** Opens a workspace for requests, without a transport. */
export async function served({
  settings = {},
  sources = {},
  ...options
}: Partial<AgnesOptions> & {
  readonly settings?: WorkspaceConfigInput["server"];
  /** Further sources. */
  readonly sources?: WorkspaceConfigInput["sources"];
} = {}): Promise<Served> {
  const isPlain = Object.keys(sources).length === 0 && Object.keys(options).length === 0;
  const folder = isPlain ? await syncedFolder() : await folderOfExports();
  const directory = folder.path;
  const open = () =>
    createAgnes({
      plugins: [files],
      workspace: directory,
      config: { ...CONFIG, server: settings, sources: { ...CONFIG.sources, ...sources } },
      ...options,
    });
  const agnes = await open();
  if (!isPlain) await agnes.sync();
  return {
    agnes,
    directory,
    async token({ name = "test", role = "admin", ...rest } = {}) {
      return (await (await agnes.tokens()).create({ name, role, ...rest })).token;
    },
    request: requestsTo(agnes),
    async reopened() {
      const later = await open();
      return { request: requestsTo(later), [Symbol.asyncDispose]: () => later.close() };
    },
    async [Symbol.asyncDispose]() {
      await agnes.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

function requestsTo(agnes: Agnes): Served["request"] {
  return (path, { token, json, ...init } = {}) => {
    const headers = new Headers(init.headers);
    if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
    if (json !== undefined) headers.set("content-type", "application/json");
    const body = json === undefined ? init.body : JSON.stringify(json);
    const method = init.method ?? (body == null ? "GET" : "POST");
    return agnes.fetch(new Request(`http://127.0.0.1${path}`, { ...init, method, headers, body }));
  };
}

// Beside the data of the workspace, which is not a table.
const CONFIG = {
  version: 1,
  sources: { shop: { plugin: "files", options: { path: "exports" } } },
} as const satisfies WorkspaceConfigInput;

async function writeExports(directory: string): Promise<void> {
  const exports = join(directory, "exports");
  await mkdir(exports);
  await writeFile(join(exports, "orders.csv"), "id,customer,price\n1,1,9.5\n2,2,3.25\n3,1,5\n");
  await writeFile(join(exports, "customers.csv"), "id,name\n1,Ann\n2,Bo\n");
}

const syncedFolder = builtOnce(async (directory) => {
  await writeExports(directory);
  await using agnes = await createAgnes({ plugins: [files], workspace: directory, config: CONFIG });
  await agnes.sync();
});

async function folderOfExports(): Promise<BuiltFolder> {
  const path = await mkdtemp(join(tmpdir(), "agnes-serve-"));
  await writeExports(path);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
