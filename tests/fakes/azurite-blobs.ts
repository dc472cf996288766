import { createHmac } from "node:crypto";

import { startAzuriteService } from "./azurite.ts";

// The emulator's account is public and the same everywhere.
export const EMULATOR_ACCOUNT = "devstoreaccount1";
const KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const VERSION = "2018-11-09";

/** The blob service of Azurite, running. */
export interface AzuriteBlobs extends AsyncDisposable {
  readonly endpoint: string;
  write(container: string, blob: string, bytes: Uint8Array): Promise<void>;
  /** Returns null if the blob does not exist. */
  read(container: string, blob: string): Promise<Uint8Array | null>;
  /** Passes a request on as it is. */
  send(request: {
    readonly method: string;
    readonly url: URL;
    readonly headers: Headers;
    readonly body: Uint8Array;
  }): Promise<Response>;
}

/** Starts Azurite's blob service on a free port; disposing ends it. */
export async function startAzuriteBlobs(): Promise<AzuriteBlobs> {
  const service = await startAzuriteService("blob");
  const endpoint = `http://127.0.0.1:${service.port}/${EMULATOR_ACCOUNT}`;
  const containers = new Set<string>();
  const address = (container: string, blob: string) => {
    const startsAt = new Date(Date.now() - 60_000);
    const expiresAt = new Date(Date.now() + 3_600_000);
    const sas = containerSas({
      account: EMULATOR_ACCOUNT,
      container,
      permissions: "rwl",
      startsAt,
      expiresAt,
    });
    return `${endpoint}/${container}/${blob.split("/").map(encodeURIComponent).join("/")}?${sas}`;
  };
  return {
    endpoint,
    async write(container, blob, bytes) {
      if (!containers.has(container)) await createContainer(endpoint, container);
      containers.add(container);
      const headers = { "x-ms-blob-type": "BlockBlob", "x-ms-version": VERSION };
      const response = await fetch(address(container, blob), {
        method: "PUT",
        headers,
        body: Uint8Array.from(bytes),
      });
      if (!response.ok)
        throw new Error(`azurite refused ${blob}: ${response.status} ${await response.text()}`);
    },
    async read(container, blob) {
      const response = await fetch(address(container, blob));
      if (response.status === 404) return null;
      if (!response.ok)
        throw new Error(`azurite refused ${blob}: ${response.status} ${await response.text()}`);
      return new Uint8Array(await response.arrayBuffer());
    },
    async send({ method, url, headers, body }) {
      const sent = new Headers(headers);
      sent.delete("host");
      return fetch(url, {
        method,
        headers: sent,
        ...(method === "PUT" ? { body: Uint8Array.from(body) } : {}),
      });
    },
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  };
}

/** What a shared access signature of a container allows. */
interface ContainerGrant {
  readonly account: string;
  readonly container: string;
  /** Such as `rl`. */
  readonly permissions: string;
  readonly startsAt: Date;
  readonly expiresAt: Date;
}

/** Signs access to a container with the key of the emulator, as the service SAS of version 2018-11-09. */
export function containerSas({
  account,
  container,
  permissions,
  startsAt,
  expiresAt,
}: ContainerGrant): string {
  const [start, end] = [startsAt, expiresAt].map((time) => `${time.toISOString().slice(0, 19)}Z`) as [
    string,
    string,
  ];
  const resource = `/blob/${account}/${container}`;
  const optional = ["", "", ""]; // identifier, addresses, protocol
  const rest = ["", "", "", "", "", ""]; // snapshot, and five headers of the response
  const text = [permissions, start, end, resource, ...optional, VERSION, "c", ...rest].join("\n");
  const sig = createHmac("sha256", Buffer.from(KEY, "base64")).update(text).digest("base64");
  return new URLSearchParams({ sv: VERSION, sr: "c", st: start, se: end, sp: permissions, sig }).toString();
}

/** Creates a container with the key of the account, which a SAS of a container cannot do. */
async function createContainer(endpoint: string, container: string): Promise<void> {
  const headers = { "x-ms-date": new Date().toUTCString(), "x-ms-version": VERSION };
  const canonicalHeaders = Object.entries(headers)
    .map(([name, value]) => `${name}:${value}\n`)
    .join("");
  // The emulator's path repeats the account.
  const resource = `/${EMULATOR_ACCOUNT}/${EMULATOR_ACCOUNT}/${container}\nrestype:container`;
  const text = `PUT${"\n".repeat(12)}${canonicalHeaders}${resource}`;
  const signature = createHmac("sha256", Buffer.from(KEY, "base64")).update(text).digest("base64");
  const response = await fetch(`${endpoint}/${container}?restype=container`, {
    method: "PUT",
    headers: { ...headers, authorization: `SharedKey ${EMULATOR_ACCOUNT}:${signature}` },
  });
  if (!response.ok && response.status !== 409)
    throw new Error(`azurite refused the container: ${response.status} ${await response.text()}`);
}
