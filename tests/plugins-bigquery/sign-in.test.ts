import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import * as v from "valibot";

import { bigqueryOptions } from "../../plugins/bigquery/options.ts";
import { settingsOf } from "../../plugins/bigquery/settings.ts";
import { fakeBigQuery } from "../fakes/bigquery/mod.ts";
import { temporaryFolder } from "../sync/workspace.ts";
import { SECRET, signInOf } from "./sign-in-support.ts";
import { connect, rejection } from "./support.ts";

setDefaultTimeout(60_000);

describe("bigquery: sign-in", () => {
  test("with the secret: a token for BigQuery alone, kept until a minute before it expires", async () => {
    await using server = fakeBigQuery({ tables: [] });
    const { token, host, log } = signInOf(server, { secret: server.signIn.serviceAccount });
    expect([await token(), await token()]).toEqual(["ya29.t0ken-1", "ya29.t0ken-1"]);
    expect(server.signIn.scope).toBe("https://www.googleapis.com/auth/bigquery");
    host.advance(58 * 60_000);
    expect(await token()).toBe("ya29.t0ken-1");
    host.advance(90_000);
    expect(await token()).toBe("ya29.t0ken-2");
    expect(JSON.stringify(log.entries)).not.toContain("PRIVATE KEY");
  });

  test("requests at once share one sign-in", async () => {
    await using server = fakeBigQuery({ tables: [] });
    const { token } = signInOf(server, { secret: server.signIn.serviceAccount });
    await Promise.all(Array.from({ length: 5 }, () => token()));
    expect(server.signIn.issued).toBe(1);
  });

  test("driveScope adds read access to Drive", async () => {
    await using server = fakeBigQuery({ tables: [] });
    await signInOf(server, { secret: server.signIn.serviceAccount, options: { driveScope: true } }).token();
    expect(server.signIn.scope.split(" ")).toContain("https://www.googleapis.com/auth/drive.readonly");
  });

  test("with the file in GOOGLE_APPLICATION_CREDENTIALS, after the secret", async () => {
    await using server = fakeBigQuery({ tables: [] });
    using folder = temporaryFolder();
    const path = join(folder.path, "key.json");
    writeFileSync(path, JSON.stringify(server.signIn.user));
    const environment = { GOOGLE_APPLICATION_CREDENTIALS: path };
    const fromFile = signInOf(server, { environment });
    expect(await fromFile.token()).toBe("ya29.t0ken-1");
    expect(fromFile.signIn.origin).toBe("GOOGLE_APPLICATION_CREDENTIALS");
    const fromSecret = signInOf(server, { environment, secret: server.signIn.serviceAccount });
    await fromSecret.token();
    expect(fromSecret.signIn.origin).toBe(SECRET);
    expect(readdirSync(folder.path)).toEqual(["key.json"]);
  });

  test("with the credentials of gcloud", async () => {
    await using server = fakeBigQuery({ tables: [] });
    using folder = temporaryFolder();
    writeFileSync(
      join(folder.path, "application_default_credentials.json"),
      JSON.stringify(server.signIn.user),
    );
    const { token, signIn } = signInOf(server, { environment: { CLOUDSDK_CONFIG: folder.path } });
    expect(await token()).toBe("ya29.t0ken-1");
    expect(signIn.origin).toEndWith("application_default_credentials.json");
  });

  test("with an external account, whose token is in a file", async () => {
    await using server = fakeBigQuery({ tables: [] });
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, "subject"), "subject-token");
    const account = {
      type: "external_account",
      audience: "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
      subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
      token_url: "https://sts.googleapis.com/v1/token",
      credential_source: { file: join(folder.path, "subject") },
    };
    const bodies: string[] = [];
    const fetch = (async (url: string, init: RequestInit) => {
      if (!url.startsWith("https://sts.googleapis.com/")) return server.fetch(url, init);
      bodies.push(init.body as string);
      return server.signIn.issue();
    }) as typeof globalThis.fetch;
    expect(await signInOf(server, { secret: JSON.stringify(account), fetch }).token()).toBe("ya29.t0ken-1");
    expect(new URLSearchParams(bodies[0]).get("subject_token")).toBe("subject-token");
  });

  test("with an external account that acts as a service account", async () => {
    await using server = fakeBigQuery({ tables: [] });
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, "subject"), "subject-token");
    const url =
      "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@shop-1.iam.gserviceaccount.com:generateAccessToken";
    const account = {
      type: "external_account",
      audience: "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
      subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
      token_url: "https://sts.googleapis.com/v1/token",
      service_account_impersonation_url: url,
      credential_source: { file: join(folder.path, "subject") },
    };
    const requests: string[] = [];
    const fetch = ((requested: string, init: RequestInit) => {
      requests.push(requested);
      if (requested !== url) return server.signIn.issue();
      const expireTime = new Date(Date.now() + 3_600_000).toISOString();
      expect(JSON.parse(init.body as string)).toMatchObject({
        scope: ["https://www.googleapis.com/auth/bigquery"],
      });
      return Response.json({ accessToken: "ya29.account", expireTime });
    }) as unknown as typeof globalThis.fetch;
    const { token } = signInOf(server, { secret: JSON.stringify(account), fetch });
    expect([await token(), await token()]).toEqual(["ya29.account", "ya29.account"]);
    expect(requests).toEqual(["https://sts.googleapis.com/v1/token", url]);
  });

  test("a service account of another cloud signs its own tokens, without a request to Google", async () => {
    await using server = fakeBigQuery({ tables: [] });
    const options = { universeDomain: "cloud.example" };
    const { token } = signInOf(server, { secret: server.signIn.serviceAccount, options });
    const [, claims = ""] = (await token()).split(".");
    expect(JSON.parse(Buffer.from(claims, "base64url").toString())).toMatchObject({
      iss: "agnes@shop-1.iam.gserviceaccount.com",
      scope: "https://www.googleapis.com/auth/bigquery",
    });
    expect(server.requests).toEqual([]);
  });

  test("with the metadata server", async () => {
    await using server = fakeBigQuery({ tables: [] });
    const { token, signIn } = signInOf(server, {});
    expect(await token()).toBe("ya29.t0ken-1");
    expect(signIn.origin).toBe("the metadata server");
    expect(server.requests.map(({ url }) => new URL(url).host)).toEqual(["metadata.google.internal"]);
  });

  test("a token that BigQuery rejects is renewed once", async () => {
    await using server = fakeBigQuery({ tables: [] });
    const { tables } = await connect(server);
    await tables();
    server.signIn.valid.clear();
    await tables();
    expect(server.signIn.issued).toBe(2);
    const { tables: denied } = await connect(server);
    server.signIn.valid.add = () => server.signIn.valid;
    expect(await rejection(denied())).toMatchObject({
      code: "bigquery/token_rejected",
      details: { origin: SECRET },
    });
  });

  test("without any credentials, and without a metadata server, it names what to set", async () => {
    await using server = fakeBigQuery({ tables: [] });
    const offline = (() =>
      Promise.reject(new TypeError("getaddrinfo ENOTFOUND"))) as unknown as typeof globalThis.fetch;
    for (const setup of [{ fetch: offline }, { environment: { METADATA_SERVER_DETECTION: "none" } }]) {
      const error = await rejection(signInOf(server, setup).token());
      expect(error).toMatchObject({ code: "bigquery/credentials_missing" });
      expect(error.message).toContain("GOOGLE_APPLICATION_CREDENTIALS");
    }
    const unknown = signInOf(server, { fetch: offline });
    await rejection(unknown.token());
    expect(unknown.log.entries.filter(({ level }) => level !== "debug")).toEqual([]);
  });

  test("a server that does not respond ends the sign-in at its deadline", async () => {
    await using server = fakeBigQuery({ tables: [] });
    const silent = (() => new Promise(() => {})) as unknown as typeof globalThis.fetch;
    for (const secret of [server.signIn.serviceAccount, JSON.stringify(server.signIn.user)]) {
      const startedMs = performance.now();
      const error = await rejection(signInOf(server, { secret, fetch: silent, deadlineMs: 200 }).token());
      expect(error).toMatchObject({ code: "bigquery/sign_in_failed" });
      expect(performance.now() - startedMs).toBeLessThan(3000);
    }
  });

  test("without credentials, a metadata server that does not respond takes 5 seconds, and the error names what to set", async () => {
    await using server = fakeBigQuery({ tables: [] });
    const silent = (() => new Promise(() => {})) as unknown as typeof globalThis.fetch;
    const startedMs = performance.now();
    const error = await rejection(signInOf(server, { fetch: silent }).token());
    expect(performance.now() - startedMs).toBeLessThan(5500);
    expect(error).toMatchObject({ code: "bigquery/sign_in_failed" });
    expect(error.message).toContain("GOOGLE_APPLICATION_CREDENTIALS are not set");
  });

  test.each([
    ["no json", "it is not JSON"],
    ["[]", "it is not a JSON object"],
    ['{"client_email":"a"}', "it has no type"],
    ['{"type":"service_account","client_email":"a"}', "it has no private_key"],
    ['{"type":"impersonated"}', "its type is impersonated"],
    ['{"type":"external_account","credential_source":{"executable":{"command":"rm"}}}', "it runs a program"],
  ])("rejects the credentials %s", async (secret, reason) => {
    await using server = fakeBigQuery({ tables: [] });
    const error = await rejection(signInOf(server, { secret }).token());
    expect(error).toMatchObject({ code: "bigquery/credentials_invalid", details: { origin: SECRET } });
    expect(error.message).toContain(reason);
  });

  test("a key that Google does not know is an error with its reason", async () => {
    await using server = fakeBigQuery({ tables: [] });
    await using other = fakeBigQuery({ tables: [] });
    const error = await rejection(signInOf(server, { secret: other.signIn.serviceAccount }).token());
    expect(error).toMatchObject({ code: "bigquery/sign_in_failed" });
    expect(error.message).toContain("invalid_grant");
  });

  test("an emulator on this machine receives no token", async () => {
    const endpoint = "http://127.0.0.1:9050";
    await using server = fakeBigQuery({ tables: [], endpoint });
    const { tables } = await connect(server, { apiEndpoint: `${endpoint}/` });
    expect((await tables()).size).toBe(0);
    expect(server.requests.map(({ headers }) => headers.get("authorization"))).toEqual([null]);
  });
});

describe("bigquery: settings", () => {
  const settings = (options: object, environment = {}) =>
    settingsOf(v.parse(bigqueryOptions, options), environment);
  const codeOf = async (options: object, environment = {}) =>
    (await rejection(Promise.resolve().then(() => settings(options, environment)))).code;

  test("the project is an option or a variable, and a conflict is an error", async () => {
    expect(settings({}, { BIGQUERY_PROJECT: "a-1" })).toMatchObject({
      project: "a-1",
      billingProject: "a-1",
    });
    expect(settings({ project: "a-1", billingProject: "b-1" }, { BIGQUERY_PROJECT: " a-1 " })).toMatchObject({
      project: "a-1",
      billingProject: "b-1",
    });
    expect(await codeOf({ project: "a-1" }, { BIGQUERY_PROJECT: "b-1" })).toBe("bigquery/project_conflict");
    expect(await codeOf({})).toBe("bigquery/project_missing");
  });

  test("the earlier spellings of the projects are accepted, and a conflict is an error", async () => {
    const earlier = { project_id: "a-1", billing_project: "b-1" };
    const found = settings(earlier, { BIGQUERY_PROJECT: "a-1" });
    expect(found).toMatchObject({ project: "a-1", billingProject: "b-1" });
    expect(settings({ ...earlier, project: "a-1", billingProject: "b-1" })).toEqual(found);
    for (const [options, environment] of [
      [{ ...earlier, project: "a-2" }, {}],
      [{ ...earlier, billingProject: "b-2" }, {}],
      [earlier, { BIGQUERY_PROJECT: "a-2" }],
    ] as const)
      expect(await codeOf(options, environment)).toBe("bigquery/project_conflict");
  });

  test("the token is sent over https to the domain of the cloud only", async () => {
    expect(settings({ project: "a-1" })).toMatchObject({
      apiEndpoint: "https://bigquery.googleapis.com",
      isSignedIn: true,
    });
    expect(settings({ project: "a-1", universeDomain: "cloud.example" }).apiEndpoint).toBe(
      "https://bigquery.cloud.example",
    );
    expect(settings({ project: "a-1", apiEndpoint: "http://localhost:9050/" })).toMatchObject({
      apiEndpoint: "http://localhost:9050",
      isSignedIn: false,
    });
    for (const apiEndpoint of [
      "http://bigquery.example",
      "ftp://localhost",
      "https://u:p@bigquery.example",
      "https://bigquery.example/?a=1",
    ])
      expect(await codeOf({ project: "a-1", apiEndpoint })).toBe("bigquery/endpoint_invalid");
  });
});
