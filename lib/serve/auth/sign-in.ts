import { createHash, randomBytes } from "node:crypto";

import type { Host } from "../../base/mod.ts";
import { FailureLimit } from "./failure-limit.ts";

const CODE_LIFETIME_MS = 600_000;
const CODES_MAX = 100;
const SESSION_LIFETIME_MS = 12 * 3_600_000;
const SESSIONS_MAX = 1000;

/** The login codes, the sessions of browsers and the failed sign-ins of a server; see `ServerState`. */
export class SignIn {
  /** The lifetime of a session in milliseconds: 12 hours. */
  readonly sessionLifetimeMs: number = SESSION_LIFETIME_MS;
  /** The failed sign-ins by address. */
  readonly failures: { count(address: string | null): void };
  readonly #codes: ExpiringMap<true>;
  /** The id of the token of each session. */
  readonly #sessions: ExpiringMap<string>;

  constructor(host: Pick<Host, "monotonicMs">) {
    this.failures = new FailureLimit(host);
    this.#codes = new ExpiringMap(host, CODE_LIFETIME_MS, CODES_MAX);
    this.#sessions = new ExpiringMap(host, SESSION_LIFETIME_MS, SESSIONS_MAX);
  }

  /** Creates a code for `/login?code=…`. It signs an administrator in once, within ten minutes. */
  createCode(): string {
    return this.#codes.add(true);
  }

  /** Returns whether a code is valid. It is not valid again. */
  takeCode(code: string): boolean {
    return this.#codes.take(code) === true;
  }

  /** Opens a session for a token. @returns the content of its cookie */
  openSession(tokenId: string): string {
    return this.#sessions.add(tokenId);
  }

  /** Returns the id of the token of a session; null if the session is unknown or expired. */
  tokenOf(session: string): string | null {
    return this.#sessions.get(session) ?? null;
  }

  /** Closes a session. */
  closeSession(session: string): void {
    this.#sessions.take(session);
  }
}

/**
 * Values by a random secret, for a time. A secret is looked up by its hash, so that the time of a look-up shows nothing of
 * the others. Beyond the maximum number, the oldest is dropped.
 */
class ExpiringMap<V> {
  readonly #host: Pick<Host, "monotonicMs">;
  readonly #lifetimeMs: number;
  readonly #max: number;
  readonly #values = new Map<string, { readonly value: V; readonly endMs: number }>();

  constructor(host: Pick<Host, "monotonicMs">, lifetimeMs: number, max: number) {
    this.#host = host;
    this.#lifetimeMs = lifetimeMs;
    this.#max = max;
  }

  add(value: V): string {
    const secret = randomBytes(32).toString("base64url");
    const [oldest] = this.#values.keys();
    if (this.#values.size >= this.#max) this.#values.delete(oldest!);
    this.#values.set(hashOf(secret), { value, endMs: this.#host.monotonicMs() + this.#lifetimeMs });
    return secret;
  }

  get(secret: string): V | undefined {
    const found = this.#values.get(hashOf(secret));
    if (found === undefined || this.#host.monotonicMs() < found.endMs) return found?.value;
    this.#values.delete(hashOf(secret));
    return undefined;
  }

  take(secret: string): V | undefined {
    const value = this.get(secret);
    this.#values.delete(hashOf(secret));
    return value;
  }
}

function hashOf(secret: string): string {
  return createHash("sha256").update(secret).digest("base64url");
}
