import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";

import { fakeBigQuery, type FakeBigQuery } from "../fakes/bigquery/mod.ts";
import { signInOf } from "./sign-in-support.ts";
import { rejection } from "./support.ts";

setDefaultTimeout(60_000);

describe("bigquery: sign-in with an external account of AWS", () => {
  const VARIABLES = ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
  const before = Object.fromEntries(VARIABLES.map((name) => [name, process.env[name]]));
  // The library reads these variables of the process.
  const setVariables = (values: Readonly<Record<string, string | undefined>>) => {
    for (const name of VARIABLES) {
      if (values[name] === undefined) delete process.env[name];
      else process.env[name] = values[name];
    }
  };
  beforeEach(() => setVariables({}));
  afterEach(() => setVariables(before));

  const metadata = "http://169.254.169.254/latest";
  const credentials = `${metadata}/meta-data/iam/security-credentials`;
  const source = {
    environment_id: "aws1",
    region_url: `${metadata}/meta-data/placement/availability-zone`,
    url: credentials,
    imdsv2_session_token_url: `${metadata}/api/token`,
    regional_cred_verification_url:
      "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
  };
  const account = (changes: object = {}, sourceChanges: object = {}) =>
    JSON.stringify({
      type: "external_account",
      audience: "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/aws",
      subject_token_type: "urn:ietf:params:aws:token-type:aws4_request",
      token_url: "https://sts.googleapis.com/v1/token",
      credential_source: { ...source, ...sourceChanges },
      ...changes,
    });
  /** The services of AWS and Google, and what was requested from them. */
  const services = (server: FakeBigQuery) => {
    const requests: string[] = [];
    const subjects: string[] = [];
    const fetch = (async (url: string, init: RequestInit) => {
      requests.push(`${init.method ?? "GET"} ${url}`);
      if (url === source.imdsv2_session_token_url) return new Response("imds-token");
      if (url.startsWith(metadata))
        expect(new Headers(init.headers).get("x-aws-ec2-metadata-token")).toBe("imds-token");
      if (url === source.region_url) return new Response("eu-west-1b");
      if (url === credentials) return new Response("role-1");
      if (url === `${credentials}/role-1`)
        return Response.json({ AccessKeyId: "AKID-machine", SecretAccessKey: "s3cret", Token: "t0k" });
      subjects.push(new URLSearchParams(init.body as string).get("subject_token")!);
      return server.signIn.issue();
    }) as typeof globalThis.fetch;
    return { fetch, requests, subjects };
  };
  const STS = "POST https://sts.googleapis.com/v1/token";

  test("by the keys of the machine", async () => {
    await using server = fakeBigQuery({ tables: [] });
    const { fetch, requests, subjects } = services(server);
    const { token, log } = signInOf(server, { secret: account(), fetch });
    expect(await token()).toBe("ya29.t0ken-1");
    expect(new Set(requests)).toEqual(
      new Set([
        `PUT ${source.imdsv2_session_token_url}`,
        `GET ${source.region_url}`,
        `GET ${credentials}`,
        `GET ${credentials}/role-1`,
        STS,
      ]),
    );
    const subject = decodeURIComponent(subjects[0]!);
    expect(subject).toContain("https://sts.eu-west-1.amazonaws.com");
    expect(subject).toContain("AKID-machine");
    expect(JSON.stringify(log.entries)).not.toContain("s3cret");
  });

  test("by variables, without a request to AWS", async () => {
    await using server = fakeBigQuery({ tables: [] });
    setVariables({
      AWS_REGION: "us-east-2",
      AWS_ACCESS_KEY_ID: "AKID-variable",
      AWS_SECRET_ACCESS_KEY: "s3cret",
    });
    const { fetch, requests, subjects } = services(server);
    const environment = { AWS_EC2_METADATA_DISABLED: "true" };
    expect(await signInOf(server, { secret: account(), fetch, environment }).token()).toBe("ya29.t0ken-1");
    expect(requests).toEqual([STS]);
    expect(decodeURIComponent(subjects[0]!)).toContain("AKID-variable");
  });

  test("not by the machine if that is off, or at another address", async () => {
    await using server = fakeBigQuery({ tables: [] });
    const { fetch, requests } = services(server);
    const failure = async (secret: string, environment = {}) => {
      const { message, code } = await rejection(signInOf(server, { secret, fetch, environment }).token());
      return `${code}: ${message}`;
    };
    expect(await failure(account(), { AWS_EC2_METADATA_DISABLED: "true" })).toContain("region_url");
    for (const [changes, sourceChanges, reason] of [
      [{}, { url: "http://10.0.0.1/keys" }, "credential_source.url is not an address of the metadata server"],
      [{}, { region_url: "nowhere" }, "credential_source.region_url is not"],
      [
        { token_url: "https://sts.example.com/v1/token" },
        {},
        "its token_url is not an https address of googleapis.com",
      ],
      [{ token_url: "http://sts.googleapis.com/v1/token" }, {}, "its token_url is not an https address"],
      [{ service_account_impersonation_url: "https://notgoogleapis.com/x" }, {}, "impersonation_url is not"],
    ] as const)
      expect(await failure(account(changes, sourceChanges))).toMatch(
        new RegExp(`^bigquery/credentials_invalid.*${reason}`),
      );
    expect(requests).toEqual([]);
  });
});
