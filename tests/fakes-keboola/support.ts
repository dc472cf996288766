import { KEBOOLA_STACK, type FakeKeboola } from "../fakes/keboola/mod.ts";

/** A JSON answer. */
export type Json = Readonly<Record<string, unknown>>;

/** Returns the value at a path of a JSON answer, whose type the test knows. */
export function pick<T>(value: unknown, ...path: readonly (string | number)[]): T {
  return path.reduce<unknown>((one, key) => (one as Json)[key], value) as T;
}

/** Returns the message of a failure. */
export async function failureOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "it succeeded",
    (error: unknown) => (error as Error).message,
  );
}

/** The id of the file that a job made. */
export function fileOf(job: Json): number {
  return pick<number>(job, "results", "file", "id");
}

/** Calls the API with the token of the project. */
export async function call(
  keboola: FakeKeboola,
  path: string,
  options: {
    readonly method?: string;
    readonly json?: unknown;
    readonly form?: string;
    readonly token?: string;
  } = {},
): Promise<{ readonly status: number; readonly body: Json; readonly headers: Headers }> {
  const { json, form, token = keboola.token } = options;
  const url = path.startsWith("https:") ? path : `${KEBOOLA_STACK}/v2/storage${path}`;
  const type = json === undefined ? "application/x-www-form-urlencoded" : "application/json";
  const body = json === undefined ? form : JSON.stringify(json);
  const response = await keboola.fetch(url, {
    method: options.method ?? (body === undefined ? "GET" : "POST"),
    headers: { "x-storageapi-token": token, ...(body === undefined ? {} : { "content-type": type }) },
    ...(body === undefined ? {} : { body }),
  });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json") === true;
  return {
    status: response.status,
    body: (isJson ? JSON.parse(text) : text) as Json,
    headers: response.headers,
  };
}

/** Starts an export and polls it to its end. */
export async function exportTable(
  keboola: FakeKeboola,
  tableId: string,
  parameters: Readonly<Record<string, unknown>> = {},
  token: string = keboola.token,
): Promise<Json> {
  const started = await call(keboola, `/tables/${tableId}/export-async`, { json: parameters, token });
  if (started.status !== 202) throw new Error(`${started.status} ${JSON.stringify(started.body)}`);
  return pollJob(keboola, started.body, token);
}

/** Polls a job to its end. */
export async function pollJob(
  keboola: FakeKeboola,
  started: Json,
  token: string = keboola.token,
): Promise<Json> {
  for (let polls = 0; polls < 20; polls += 1) {
    const { body } = await call(keboola, pick<string>(started, "url"), { token });
    if (!["waiting", "processing"].includes(pick<string>(body, "status"))) return body;
  }
  throw new Error("the job does not end");
}

/** Downloads a file of plain links or of Google Cloud Storage: all slices, in the order of the manifest. */
export async function downloadFile(keboola: FakeKeboola, fileId: number): Promise<readonly Uint8Array[]> {
  const { body: file } = await call(keboola, `/files/${fileId}?federationToken=1`);
  const read = async (link: string) => {
    const [, bucket, key] = /^gs:\/\/([^/]+)\/(.+)$/.exec(link) ?? [];
    const isGoogle = bucket !== undefined;
    const address = `https://storage.googleapis.com/storage/v1/b/${bucket}/o/${encodeURIComponent(key ?? "")}?alt=media`;
    const bearer = isGoogle ? `Bearer ${pick<string>(file, "gcsCredentials", "access_token")}` : undefined;
    const headers = bearer === undefined ? {} : { authorization: bearer };
    const response = await keboola.fetch(isGoogle ? address : link, { headers });
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    return new Uint8Array(await response.arrayBuffer());
  };
  const url = pick<string>(file, "url");
  if (file["isSliced"] !== true) return [await read(url)];
  const manifest = JSON.parse(Buffer.from(await read(url)).toString()) as Json;
  return Promise.all(
    pick<readonly { readonly url: string }[]>(manifest, "entries").map((entry) => read(entry.url)),
  );
}

/** Exports a table as CSV and returns its lines, sorted. */
export async function exportedLines(
  keboola: FakeKeboola,
  tableId: string,
  parameters: Readonly<Record<string, unknown>> = {},
): Promise<readonly string[]> {
  const job = await exportTable(keboola, tableId, parameters);
  if (job["status"] !== "success") throw new Error(JSON.stringify(job["error"]));
  const slices = await downloadFile(keboola, fileOf(job));
  const text = slices.map((slice) => Buffer.from(slice).toString()).join("");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .toSorted();
}
