import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

import { AgnesError, randomName, type Host } from "../../base/mod.ts";
import { openCatalog, verifyCatalog, type Catalog } from "../../catalog/mod.ts";
import { checkNewToken } from "./check-new-token.ts";
import type { Grants, Principal, Role } from "./principal.ts";
import { hasEnded, ownHolder, type SessionHolder } from "./session-holder.ts";
import { TokenUses, type TokenServices } from "./token-uses.ts";

/** A stored token. Only a hash of its secret part is kept. */
interface StoredToken {
  readonly id: string;
  readonly name: string;
  /** `session`: created by a login link, for the browser that opened it. */
  readonly kind: "token" | "session";
  readonly role: Role;
  readonly grants: Grants | null;
  /** SHA-256 of the secret part, hexadecimal. */
  readonly hash: string;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly createdBy: string;
  /** ISO 8601; null: never. */
  readonly expiresAt: string | null;
  /** The process of a session. */
  readonly holder?: SessionHolder;
}

/** A token without its secret part. */
export interface TokenInfo extends Omit<StoredToken, "hash" | "holder"> {
  /** The last use, ISO 8601, up to ten minutes old; null: not used yet. */
  readonly lastUsedAt: string | null;
}

/** What a new token may do. */
export interface NewToken {
  /** For people: 1 to 100 characters, without control characters. Several tokens may have the same name. */
  readonly name: string;
  readonly role: Role;
  /** The tables of an analyst. Default: all tables. */
  readonly grants?: Grants | null;
  /** Default: it never expires. */
  readonly expiresAt?: Date | null;
  /** `session`: for a browser. Default: `token`. */
  readonly kind?: "token" | "session";
  /** Who creates it. */
  readonly actor?: string;
}

const TOKEN = /^agnes_([0-9a-z]{12})_([\w-]{43})$/;

/**
 * The tokens of the HTTP API; see `Agnes.tokens`. They are read for each request, so that a change by any process applies to
 * the next one.
 *
 * @example
 * ```ts
 * import { createAgnes } from "agnes";
 * await using agnes = await createAgnes({ plugins: [] });
 * const tokens = await agnes.tokens();
 * const { token, info } = await tokens.create({ name: "reports", role: "analyst" });
 * console.log(token); // shown this once
 * await tokens.revoke(info.id);
 * ```
 */
export class Tokens implements AsyncDisposable {
  readonly #catalog: Catalog<StoredToken>;
  readonly #uses: TokenUses;
  readonly #host: Host;

  private constructor(catalog: Catalog<StoredToken>, uses: TokenUses, host: Host) {
    this.#catalog = catalog;
    this.#uses = uses;
    this.#host = host;
  }

  static async open(services: TokenServices): Promise<Tokens> {
    const schema = { name: "tokens", rowKey: "id", indexKeys: ["role"] } as const;
    const catalog = await openCatalog<StoredToken>({ ...schema, ...services });
    return new Tokens(catalog, await TokenUses.open(services), services.host);
  }

  /**
   * Creates a token.
   *
   * @returns its text, which is shown this once, and its stored part
   * @throws `token_refused` if its name, grants or expiry are not valid
   */
  async create(token: NewToken): Promise<{ readonly token: string; readonly info: TokenInfo }> {
    const { name, role, grants = null, expiresAt = null, kind = "token", actor = "unknown" } = token;
    checkNewToken(this.#host, { name, role, grants, expiresAt });
    const id = randomName(this.#host, 12);
    const secret = randomBytes(32).toString("base64url");
    const stored: Omit<StoredToken, "hash"> = {
      id,
      name,
      kind,
      role,
      grants,
      createdAt: this.#host.now().toISOString(),
      createdBy: actor,
      expiresAt: expiresAt?.toISOString() ?? null,
    };
    const holder = kind === "session" ? { holder: ownHolder() } : {};
    await this.#catalog.insert({ ...stored, ...holder, hash: hashOf(secret) }, { expectedVersion: 0, actor });
    return { token: `agnes_${id}_${secret}`, info: { ...stored, lastUsedAt: null } };
  }

  /** Lists all tokens, also expired ones, oldest first. Sessions of a server that ended on this machine are omitted. */
  async list(): Promise<readonly TokenInfo[]> {
    const [tokens, uses] = [await this.#catalog.query({}), await this.#uses.all()];
    return tokens
      .filter(({ record }) => !isAbandoned(record))
      .map(({ record }) => infoOf(record, uses))
      .toSorted((a, b) => a.createdAt.localeCompare(b.createdAt) || a.id.localeCompare(b.id));
  }

  /**
   * Removes a token. The next request with it fails, in every process.
   *
   * @returns the removed token
   * @throws `token_unknown`
   */
  async revoke(id: string, options: { readonly actor?: string } = {}): Promise<TokenInfo> {
    const { changes } = await this.#catalog.delete(id, { actor: options.actor ?? "unknown" });
    const removed = changes[0]?.before;
    if (removed == null) throw new AgnesError("token_unknown", { id });
    const info = infoOf(removed, await this.#uses.all());
    await this.#uses.forget(id);
    return info;
  }

  /** Returns who a token belongs to. @throws `token_invalid` */
  async verify(token: string): Promise<Principal> {
    const [, id = "", secret = ""] = TOKEN.exec(token) ?? [];
    const stored = id === "" ? null : ((await this.#catalog.get(id))?.record ?? null);
    const expected = Buffer.from(stored?.hash ?? hashOf(""), "hex");
    const isRight = timingSafeEqual(Buffer.from(hashOf(secret), "hex"), expected);
    if (stored === null || !isRight || this.#isExpired(stored)) throw new AgnesError("token_invalid", {});
    return this.#used(stored);
  }

  /** Returns who the token with an id belongs to; null if it is unknown, expired or revoked. */
  async principal(id: string): Promise<Principal | null> {
    const stored = (await this.#catalog.get(id))?.record ?? null;
    return stored === null || this.#isExpired(stored) ? null : this.#used(stored);
  }

  /** Removes the sessions that expired, or whose server ended on this machine. */
  async removeEndedSessions(): Promise<void> {
    await this.#catalog.transact(async (view) => {
      const sessions = (await view.query({})).filter(({ record }) => record.kind === "session");
      const ended = sessions.filter(({ record }) => this.#isExpired(record) || isAbandoned(record));
      return ended.map(({ record: { id } }) => ({ kind: "delete", rowKey: id }));
    });
  }

  /**
   * Reads all stored tokens, and all their changes, to detect any damage.
   *
   * @returns the number of tokens
   * @throws `catalog_corrupt`, `catalog_unavailable`
   */
  async verifyStored(): Promise<number> {
    await this.#uses.verifyStored();
    return verifyCatalog(this.#catalog);
  }

  async close(): Promise<void> {
    await this.#uses.close();
    await this.#catalog.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #used({ id, name, role, grants, expiresAt }: StoredToken): Principal {
    this.#uses.mark(id);
    return { id, name, role, grants, expiresAt };
  }

  #isExpired({ expiresAt }: StoredToken): boolean {
    return expiresAt !== null && Date.parse(expiresAt) <= this.#host.now().getTime();
  }
}

/** Whether a session cannot be used any more, because it was in the memory of a process that ended. */
function isAbandoned({ holder }: StoredToken): boolean {
  return holder !== undefined && hasEnded(holder);
}

function infoOf(stored: StoredToken, uses: ReadonlyMap<string, string>): TokenInfo {
  const { id, name, kind, role, grants, createdAt, createdBy, expiresAt } = stored;
  const lastUsedAt = uses.get(id) ?? null;
  return { id, name, kind, role, grants, createdAt, createdBy, expiresAt, lastUsedAt };
}

function hashOf(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}
