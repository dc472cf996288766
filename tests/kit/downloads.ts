import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { DownloadFile, Http, HttpDownloadRequest } from "../../lib/kit/mod.ts";
import { bytesOf } from "./file-server.ts";

/** The content of the test downloads. */
export const CONTENT: Buffer = bytesOf(300_000);

/** A temporary folder of the test. */
export async function folder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "agnes-download-test-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Returns the contents of all files, in the order of the chunks. */
export async function contents(
  http: Http,
  files: readonly (string | DownloadFile)[],
  request: Partial<HttpDownloadRequest> = {},
): Promise<readonly Buffer[]> {
  const found: Buffer[] = [];
  for await (const chunk of http.download(files, { format: "csv", ...request })) {
    found.push(readFileSync(chunk.data as string));
  }
  return found;
}
