import { describe, expect, test } from "bun:test";
import { createHash, createHmac } from "node:crypto";

import { fakeKeboola, type FakeKeboola, type KeboolaScript } from "../fakes/keboola/mod.ts";
import { call, failureOf, exportTable, fileOf, pick, type Json } from "./support.ts";

/** A project with one exported table, and the answer for its file. */
async function exported(script: KeboolaScript) {
  const keboola = fakeKeboola({ keyPrefix: "exp 15/ä+(1)", ...script });
  const host = keboola.host({ startsAt: new Date("2026-11-25T09:00:00Z") });
  const rows = Array.from({ length: 90 }, (_, at) => ({ id: String(at) }));
  keboola.storage.createTable("in.c-main.orders", { columns: ["id"], rows });
  const job = await exportTable(keboola, "in.c-main.orders");
  const { body: file } = await call(keboola, `/files/${fileOf(job)}?federationToken=1`);
  return { keboola, host, file };
}

async function entriesOf(keboola: FakeKeboola, url: string): Promise<readonly string[]> {
  const manifest = (await (await keboola.fetch(url)).json()) as { entries: readonly { url: string }[] };
  return manifest.entries.map((entry) => entry.url);
}

/** Signs a GET of S3 with headers. */
function signedS3(bucket: string, key: string, credentials: Json, date: Date): Request {
  const time = `${date.toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z`;
  const path = key
    .split("/")
    .map((part) => encodeURIComponent(part).replaceAll("(", "%28").replaceAll(")", "%29"));
  const host = `${bucket}.s3.us-east-1.amazonaws.com`;
  const token = pick<string>(credentials, "SessionToken");
  const hash = (text: string) => createHash("sha256").update(text).digest("hex");
  const names = "host;x-amz-content-sha256;x-amz-date;x-amz-security-token";
  const canonical = `GET\n/${path.join("/")}\n\nhost:${host}\nx-amz-content-sha256:${hash("")}\nx-amz-date:${time}\nx-amz-security-token:${token}\n\n${names}\n${hash("")}`;
  const scope = `${time.slice(0, 8)}/us-east-1/s3/aws4_request`;
  const mac = (secret: string | Buffer, text: string) => createHmac("sha256", secret).update(text).digest();
  const secret = pick<string>(credentials, "SecretAccessKey");
  const signing = mac(mac(mac(mac(`AWS4${secret}`, time.slice(0, 8)), "us-east-1"), "s3"), "aws4_request");
  const signature = mac(signing, `AWS4-HMAC-SHA256\n${time}\n${scope}\n${hash(canonical)}`).toString("hex");
  const credential = `${pick<string>(credentials, "AccessKeyId")}/${scope}`;
  return new Request(`https://${host}/${path.join("/")}`, {
    headers: {
      "x-amz-date": time,
      "x-amz-content-sha256": hash(""),
      "x-amz-security-token": token,
      authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`,
    },
  });
}

describe("fakeKeboola() keeps files", () => {
  test("on S3, by signed links and by federation credentials for one file", async () => {
    const { keboola, host, file } = await exported({ provider: "aws" });
    expect(file).toMatchObject({ provider: "aws", region: "us-east-1", isSliced: true });
    const credentials = pick<Json>(file, "credentials");
    expect(pick<string>(credentials, "Expiration")).toBe("2026-11-25T21:00:00+00:00");
    const entries = await entriesOf(keboola, pick<string>(file, "url"));
    expect(entries).toHaveLength(3);
    const [, bucket, key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(entries[0]!)!;
    expect(bucket).toBe(pick<string>(file, "s3Path", "bucket"));
    expect(key).toStartWith(pick<string>(file, "s3Path", "key"));
    const read = async () => keboola.fetch(signedS3(bucket!, key!, credentials, host.now()));
    expect((await read()).status).toBe(200);
    const other = await keboola.fetch(signedS3(bucket!, "exp-15/other", credentials, host.now()));
    expect(await other.text()).toContain("AccessDenied");
    host.advance(12 * 3_600_000);
    const late = await read();
    expect([late.status, await late.text()]).toEqual([400, expect.stringContaining("ExpiredToken")]);
    expect((await keboola.fetch(pick<string>(file, "url"))).status).toBe(403);
  });

  test("on Google Cloud Storage, by a token of an hour", async () => {
    const { keboola, host, file } = await exported({ provider: "gcp" });
    expect(file).toMatchObject({
      provider: "gcp",
      gcsCredentials: { expires_in: 3599, token_type: "Bearer" },
    });
    const [entry] = await entriesOf(keboola, pick<string>(file, "url"));
    const [, bucket, key] = /^gs:\/\/([^/]+)\/(.+)$/.exec(entry!)!;
    const url = `https://storage.googleapis.com/storage/v1/b/${bucket}/o/${encodeURIComponent(key!)}`;
    const headers = { authorization: `Bearer ${pick<string>(file, "gcsCredentials", "access_token")}` };
    expect(await (await keboola.fetch(`${url}?alt=media`, { headers })).text()).toStartWith('"');
    expect(await (await keboola.fetch(url, { headers })).json()).toMatchObject({ kind: "storage#object" });
    expect((await keboola.fetch(`${url}?alt=media`)).status).toBe(401);
    host.advance(3_600_000);
    expect((await keboola.fetch(`${url}?alt=media`, { headers })).status).toBe(401);
    expect((await keboola.fetch(pick<string>(file, "url"))).status).toBe(400);
  });

  test("on Azure, by a shared access signature in a connection string", async () => {
    const { keboola, file } = await exported({ provider: "azure" });
    const connection = pick<string>(file, "absCredentials", "SASConnectionString");
    const [, endpoint, sas] = /^BlobEndpoint=([^;]+);SharedAccessSignature=(.+)$/.exec(connection)!;
    const { container, name } = pick<{ container: string; name: string }>(file, "absPath");
    const blob = (one: string) =>
      `${endpoint}/${container}/${one.split("/").map(encodeURIComponent).join("/")}`;
    const entries = await entriesOf(keboola, `${blob(`${name}manifest`)}?${sas}`);
    expect(await entriesOf(keboola, pick<string>(file, "url"))).toEqual(entries);
    const [entry] = entries;
    expect(entry).toStartWith(endpoint!.replace("https:", "azure:"));
    const slice = blob(entry!.slice(`${endpoint}/${container}/`.length + "azure:".length - "https:".length));
    expect((await keboola.fetch(`${slice}?${sas}`)).status).toBe(200);
    expect((await keboola.fetch(slice)).status).toBe(403);
    const put = { method: "PUT", body: "x", headers: { "x-ms-blob-type": "BlockBlob" } };
    expect((await keboola.fetch(`${slice}?${sas}`, put)).status).toBe(403);
    keboola.expireCredentials();
    const late = await keboola.fetch(`${slice}?${sas}`);
    expect([late.status, await late.text()]).toEqual([403, expect.stringContaining("AuthenticationFailed")]);
  });

  test("on plain links, which a new manifest renews", async () => {
    const { keboola, host, file } = await exported({});
    expect(Object.keys(file)).not.toContain("credentials");
    const [link] = await entriesOf(keboola, pick<string>(file, "url"));
    const part = await keboola.fetch(link!, { headers: { range: "bytes=1-" } });
    expect([part.status, part.headers.get("content-range")]).toEqual([
      206,
      expect.stringMatching(/^bytes 1-/),
    ]);
    host.advance(3_600_000);
    expect((await keboola.fetch(link!)).status).toBe(403);
    expect((await keboola.fetch(pick<string>(file, "url"))).status).toBe(403);
    const again = await call(keboola, `/files/${pick<number>(file, "id")}?federationToken=1`);
    const [renewed] = await entriesOf(keboola, pick<string>(again.body, "url"));
    expect((await keboola.fetch(renewed!)).status).toBe(200);
  });

  test("and fails every request after the storage token reached a cloud", async () => {
    for (const provider of ["aws", "azure", "gcp", "https"] as const) {
      const { keboola, file } = await exported({ provider });
      const headers = { "x-storageapi-token": keboola.token };
      const leak = keboola.fetch(pick<string>(file, "url"), { headers });
      expect(await failureOf(leak)).toContain("the storage token was sent to");
      expect(keboola.leaks).toHaveLength(1);
      expect(await failureOf(call(keboola, "/tokens/verify"))).toContain("the storage token was sent to");
    }
  });

  test("and counts the slices that are open at once", async () => {
    const { keboola, file } = await exported({});
    const entries = await entriesOf(keboola, pick<string>(file, "url"));
    const [first, second] = await Promise.all(entries.map((entry) => keboola.fetch(entry)));
    expect(keboola.openSlicesMax).toBe(3);
    await first!.text();
    await second!.body!.cancel();
    await keboola.fetch(entries[0]!);
    expect(keboola.openSlicesMax).toBe(3);
  });
});
