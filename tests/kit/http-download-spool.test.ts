import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { appendFile, readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";

import { nodeFiles, Secret, type Host } from "../../lib/base/mod.ts";
import { CONTENT, contents, folder } from "./downloads.ts";
import { bytesOf, cutting, serve } from "./file-server.ts";
import { failureOf, LocalServer, redirect, respondWith, testHttp } from "./local-server.ts";

const SPOOL_NAME_LENGTH = 32;

describe("Http.download() in a directory", () => {
  test("download() resumes an interrupted read by key, also with a different link", async () => {
    await using directory = await folder();
    const file = { content: CONTENT, etag: '"a"' };
    const stop = new AbortController();
    await using server = await LocalServer.start((_seen, response) => {
      response.writeHead(200, { "content-length": "300000", etag: '"a"' });
      response.write(CONTENT.subarray(0, 100_000));
    }, serve(file));
    const { http } = testHttp();
    const request = { directory: directory.path, signal: stop.signal, onProgress: () => stop.abort() };
    const stopped = await failureOf(
      contents(http, [{ url: `${server.origin}/f?s=1`, key: "export 7" }], request),
    );
    expect(stopped).toMatchObject({ code: "aborted" });

    // A crashed process wrote bytes that its note does not cover.
    const [name] = (await readdir(directory.path)).filter((one) => !one.endsWith(".json"));
    await appendFile(join(directory.path, name!), "torn");
    const again = [{ url: `${server.origin}/f?s=2`, key: "export 7" }];
    const kept = { directory: directory.path };
    expect((await contents(http, again, kept))[0]!.equals(CONTENT)).toBe(true);
    const range = String(server.seen[1]!.headers["range"]);
    expect(Number(/\d+/.exec(range)![0])).toBeGreaterThan(0);
    expect(server.seen[1]!.headers["if-range"]).toBe('"a"');

    expect((await contents(http, again, kept))[0]!.equals(CONTENT)).toBe(true);
    expect(server.seen[2]!.headers["if-none-match"]).toBe('"a"');
    const notes = (await readdir(directory.path)).filter((one) => one.endsWith(".json"));
    expect(await readFile(join(directory.path, notes[0]!), "utf8")).not.toContain("127.0.0.1");
  });

  test("download() sends no request if the checksum of a complete file matches, and downloads again if not", async () => {
    await using directory = await folder();
    await using server = await LocalServer.start(serve({ content: CONTENT }));
    const { http } = testHttp();
    const value = createHash("sha256").update(CONTENT).digest("hex");
    const file = { url: `${server.origin}/f`, checksum: { algorithm: "sha256", value } } as const;
    await contents(http, [file], { directory: directory.path });
    await contents(http, [file], { directory: directory.path });
    expect(server.seen.length).toBe(1);
    await contents(http, [{ url: file.url }], { directory: directory.path });
    expect(server.seen.length).toBe(2);
    expect(server.seen[1]!.headers["range"]).toBeUndefined();
  });

  test("download() does not resume by date alone without a key", async () => {
    await using directory = await folder();
    const file = { content: CONTENT, lastModified: "Wed, 31 Dec 2025 00:00:00 GMT" };
    await using server = await LocalServer.start(serve(file));
    const { http } = testHttp();
    const request = { directory: directory.path };
    for (const query of ["id=1", "id=2"]) await contents(http, [`${server.origin}/f?${query}`], request);
    for (const query of ["s=1", "s=2"])
      await contents(http, [{ url: `${server.origin}/f?${query}`, key: "k" }], request);
    expect(server.seen.map(({ headers }) => headers["if-modified-since"])).toEqual([
      undefined,
      undefined,
      undefined,
      file.lastModified,
    ]);
  });

  test("download() writes blocks of 1 MB while bytes arrive, and makes some of them durable at once", async () => {
    await using directory = await folder();
    const content = bytesOf(18_000_000);
    await using server = await LocalServer.start(serve({ content }));
    const sizes: number[] = [];
    const synced: number[] = [];
    const real = nodeFiles();
    const files: Host["files"] = {
      ...real,
      append: (path, data, options) => {
        sizes.push(data.length);
        return real.append(path, data, options);
      },
      sync: (path) => {
        if (basename(path).length === SPOOL_NAME_LENGTH) synced.push(sizes.length);
        return real.sync(path);
      },
    };
    const { http } = testHttp({ files });
    expect(
      (await contents(http, [`${server.origin}/f`], { directory: directory.path }))[0]!.equals(content),
    ).toBe(true);
    expect(sizes.length).toBe(18);
    expect(synced).toEqual([16, 18]);
    expect(Math.max(...sizes)).toBe(1024 * 1024);
  });
});

describe("Http.download() and credentials", () => {
  const token = new Secret("TOKEN", "storage-token-123");
  const authorization = (server: LocalServer) => server.seen.map(({ headers }) => headers["authorization"]);

  test("download() sends the token of the client to its base URL and to no other host", async () => {
    await using storage = await LocalServer.start(serve({ content: CONTENT }));
    await using api = await LocalServer.start(
      serve({ content: CONTENT }),
      redirect(`${storage.origin}/moved`),
    );
    const { http } = testHttp();
    const client = http.with({
      baseUrl: api.origin,
      bearer: token,
      query: { key: new Secret("KEY", "key-456") },
    });
    await contents(client, [`${storage.origin}/slice`]);
    await contents(client, ["/own"]);
    await contents(client, ["/moved"]);
    expect(authorization(storage)).toEqual([undefined, undefined]);
    expect(storage.seen.map(({ path }) => path)).toEqual(["/slice", "/moved"]);
    expect(authorization(api)).toEqual(["Bearer storage-token-123", "Bearer storage-token-123"]);
  });

  test("download() sends no token from a client without a base URL, and headers of a file to its host", async () => {
    await using other = await LocalServer.start(serve({ content: CONTENT }));
    await using storage = await LocalServer.start(
      serve({ content: CONTENT }),
      redirect(`${other.origin}/moved`),
    );
    const { http } = testHttp();
    const client = http.with({ bearer: token, headers: { "x-storageapi-token": token } });
    const url = `${storage.origin}/slice`;
    await contents(client, [url]);
    await contents(client, [{ url, headers: { authorization: new Secret("SLICE", "slice-token-789") } }]);
    expect(authorization(storage)).toEqual([undefined, "slice-token-789"]);
    expect(storage.seen[0]!.headers["x-storageapi-token"]).toBeUndefined();
    expect(authorization(other)).toEqual([undefined]);
  });

  test("download() sends the headers of a renewed address, over those of the file and to its origin only", async () => {
    await using other = await LocalServer.start(serve({ content: CONTENT }));
    const file = { content: CONTENT, etag: '"a"' };
    await using storage = await LocalServer.start(
      serve(file),
      respondWith({ error: "expired" }, 403),
      redirect(`${other.origin}/moved`),
    );
    const { http } = testHttp({ fetch: cutting((n) => (n === 1 ? 100_000 : undefined)) });
    const asked: boolean[] = [];
    const url = async ({ rejected }: { readonly rejected: boolean }) => {
      asked.push(rejected);
      const slice = new Secret("SLICE", `slice-token-${asked.length}`);
      return {
        url: `${storage.origin}/slice`,
        headers: { Authorization: slice, "x-part": `${asked.length}` },
      };
    };
    const headers = { authorization: new Secret("OLD", "old-token"), "X-Part": "0", "x-kind": "csv" };
    const [found] = await contents(http, [{ url, headers }]);
    expect(found!.equals(CONTENT)).toBe(true);
    expect(asked).toEqual([false, true]);
    expect(authorization(storage)).toEqual(["slice-token-1", "slice-token-1", "slice-token-2"]);
    expect(storage.seen.map(({ headers: sent }) => sent["x-part"])).toEqual(["1", "1", "2"]);
    expect(storage.seen[2]!.headers["range"]).toBe("bytes=100000-");
    expect(authorization(other)).toEqual([undefined]);
    expect(other.seen[0]!.headers["x-kind"]).toBe("csv");
  });

  test("download() redacts the secrets of a renewed address", async () => {
    await using storage = await LocalServer.start(respondWith({ error: "no slice-token-9" }, 404));
    const { http } = testHttp();
    const slice = new Secret("SLICE", "slice-token-9");
    const url = async () => ({ url: `${storage.origin}/slice-token-9`, headers: { "x-part": slice } });
    const error = await failureOf(contents(http, [{ url }], { retries: 0 }));
    expect(String((error as Error).message)).not.toContain("slice-token-9");
  });
});
