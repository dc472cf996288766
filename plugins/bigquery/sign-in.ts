import { AgnesError, Secret, type BearerSource, type ConnectContext, type Http } from "agnes/kit";

import { authClient, type AccessToken } from "./auth-client.ts";
import { storedCredentials } from "./credentials.ts";
import { errors } from "./errors.ts";
import { METADATA_SERVER, NO_CREDENTIALS, tokenOfMachine } from "./metadata-server.ts";
import type { bigquerySecrets } from "./options.ts";
import type { Environment, Settings } from "./settings.ts";

/** A host that resembles one of Google Cloud can keep a connection open for a minute. */
const DEADLINE_MS = 5_000;
/** A token is renewed before it expires during a request. */
const MARGIN_MS = 60_000;
const TOKEN_NAME = "BIGQUERY_ACCESS_TOKEN";

type SignInContext = Pick<ConnectContext<unknown, typeof bigquerySecrets>, "http" | "now" | "secrets">;

/** The access token of a source, shared by its requests and renewed a minute before it expires. */
export class SignIn {
  /** Where the credentials come from, for messages. */
  origin: string = METADATA_SERVER;
  readonly #context: SignInContext;
  readonly #http: Http;
  readonly #settings: Settings;
  readonly #environment: Environment;
  readonly #deadlineMs: number;
  #client: (() => Promise<AccessToken>) | undefined;
  #token: AccessToken | undefined;
  #running: Promise<AccessToken> | undefined;

  constructor(
    context: SignInContext,
    settings: Settings,
    environment: Environment = process.env,
    deadlineMs: number = DEADLINE_MS,
  ) {
    this.#context = context;
    this.#http = context.http.with({ timeoutMs: deadlineMs, retries: 1 });
    this.#settings = settings;
    this.#environment = environment;
    this.#deadlineMs = deadlineMs;
  }

  /**
   * Returns the token of the next request.
   * @throws `bigquery/credentials_missing`, `bigquery/credentials_invalid`, `bigquery/sign_in_failed`
   */
  readonly bearer: BearerSource = async ({ rejected, signal }) => {
    if (rejected) [this.#client, this.#token] = [undefined, undefined];
    const { token } = this.#valid() ?? (await stoppable(this.#renewed(), signal));
    return new Secret(TOKEN_NAME, token);
  };

  #valid(): AccessToken | undefined {
    const expiresMs = this.#token?.expiresMs ?? 0;
    return expiresMs - MARGIN_MS > this.#context.now().getTime() ? this.#token : undefined;
  }

  #renewed(): Promise<AccessToken> {
    this.#running ??= this.#signedIn().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #signedIn(): Promise<AccessToken> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise<never>((_, reject) => {
      const late = () => reject(this.#silent());
      timer = setTimeout(late, this.#deadlineMs);
    });
    try {
      this.#token = await Promise.race([this.#request(), timeout]);
      return this.#token;
    } catch (error) {
      if (error instanceof AgnesError) throw error;
      const { message } = error as Error;
      throw errors.sign_in_failed({ origin: this.origin, reason: message }, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  #silent(): AgnesError {
    const reason = `no response within ${this.#deadlineMs} ms`;
    if (this.origin !== METADATA_SERVER) return errors.sign_in_failed({ origin: this.origin, reason });
    // Outside Google Cloud the missing credentials are the cause, and a firewall may drop the request.
    return errors.sign_in_failed({ origin: this.origin, reason: `${reason}, and ${NO_CREDENTIALS}` });
  }

  async #request(): Promise<AccessToken> {
    const client = this.#client ?? (await this.#newClient());
    const token = await client();
    // A client keeps its token, by its own clock, so it serves only tokens whose expiry it does not report.
    this.#client = token.expiresMs === undefined ? client : undefined;
    return token;
  }

  async #newClient(): Promise<() => Promise<AccessToken>> {
    const { secrets, now } = this.#context;
    const stored = await storedCredentials(secrets.BIGQUERY_SERVICE_ACCOUNT_JSON, this.#environment);
    this.origin = stored?.origin ?? METADATA_SERVER;
    if (stored !== null) {
      const services = { http: this.#http, environment: this.#environment };
      return authClient(stored, this.#settings, services);
    }
    return () => tokenOfMachine({ http: this.#http, now }, this.#settings, this.#environment);
  }
}

/** Waits for work that other callers share, until this caller stops. */
async function stoppable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
  });
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([work, stopped]);
  } finally {
    signal.removeEventListener("abort", stop);
    work.catch(() => {});
  }
}
