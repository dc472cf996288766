import { Secret } from "agnes/kit";
import { fakeHost, recordingLog } from "agnes/testing";
import * as v from "valibot";

import { createHttp } from "../../lib/kit/mod.ts";
import { bigqueryOptions } from "../../plugins/bigquery/options.ts";
import { settingsOf } from "../../plugins/bigquery/settings.ts";
import { SignIn } from "../../plugins/bigquery/sign-in.ts";
import type { FakeBigQuery } from "../fakes/bigquery/mod.ts";

export const SECRET = "BIGQUERY_SERVICE_ACCOUNT_JSON";
const { signal } = new AbortController();

interface Setup {
  readonly environment?: Readonly<Record<string, string>>;
  readonly secret?: string;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly fetch?: typeof globalThis.fetch;
  readonly deadlineMs?: number;
}

/** The sign-in of a source. The home folder does not exist, so there are no credentials of `gcloud`. */
export function signInOf(
  server: FakeBigQuery,
  { environment = {}, secret, options = {}, fetch = server.fetch, deadlineMs }: Setup,
) {
  const host = fakeHost({ fetch, startsAt: new Date() });
  const log = recordingLog();
  const context = {
    http: createHttp({ host, log }),
    now: () => host.now(),
    secrets: { [SECRET]: secret === undefined ? undefined : new Secret(SECRET, secret) },
  };
  const settings = settingsOf(v.parse(bigqueryOptions, { project: "shop-1", ...options }), {});
  const signIn = new SignIn(context as never, settings, { HOME: "/nonexistent", ...environment }, deadlineMs);
  const token = async (rejected = false) => (await signIn.bearer({ rejected, signal })).reveal();
  return { token, host, log, signIn };
}
