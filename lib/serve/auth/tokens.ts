import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

import { AgnesError, randomName, type Host, type Log } from "../../base/mod.ts";
import { openCatalog, type Catalog, type CatalogStorage } from "../../catalog/mod.ts";
import type { Grants, Principal, Role } from "./principal.ts";

/** A stored token. Only a hash of its secret part is kept. */
interface StoredToken {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly grants: Grants | null;
  /** SHA-256 of the secret part, hexadecimal. */
  readonly hash: string;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly createdBy: string;
  /** ISO 8601; null: never. */
  readonly expiresAt: string | null;
}

/** A token without its secret part. */
export type TokenInfo = Omit<StoredToken, "hash">;

/** What a new token may do. */
export interface NewToken {
  readonly name: string;
  readonly role: Role;
  /** Default: all tables. */
  readonly grants?: Grants | null;
  /** Default: it never expires. */
  readonly expiresAt?: Date | null;
  /** Who creates it. */
  readonly actor?: string;
}

const TOKEN = /^agnes_([0-9a-z]{12})_([\w-]{43})$/;

/**
 * The tokens of the HTTP API; see `Agnes.tokens`.
 *
 * @example
 * ```ts
 * import { createAgnes } from "agnes";
 * await using agnes = await createAgnes({ plugins: [] });
 * const { token } = await (await agnes.tokens()).create({ name: "reports", role: "analyst" });
 * console.log(token); // shown this once
 * ```
 */
export class Tokens implements AsyncDisposable {
  readonly #catalog: Catalog<StoredToken>;
  readonly #host: Host;

  private constructor(catalog: Catalog<StoredToken>, host: Host) {
    this.#catalog = catalog;
    this.#host = host;
  }

  static async open(options: {
    readonly storage: CatalogStorage;
    readonly host: Host;
    readonly log: Log;
  }): Promise<Tokens> {
    const catalog = await openCatalog<StoredToken>({
      name: "tokens",
      rowKey: "id",
      indexKeys: ["role"],
      ...options,
    });
    return new Tokens(catalog, options.host);
  }

  /** Creates a token. @returns its text, which is shown this once, and its stored part */
  async create({ name, role, grants = null, expiresAt = null, actor = "unknown" }: NewToken) {
    const id = randomName(this.#host, 12);
    const secret = randomBytes(32).toString("base64url");
    const info: TokenInfo = {
      id,
      name,
      role,
      grants: role === "admin" ? null : grants,
      createdAt: this.#host.now().toISOString(),
      createdBy: actor,
      expiresAt: expiresAt?.toISOString() ?? null,
    };
    await this.#catalog.insert({ ...info, hash: hashOf(secret) }, { expectedVersion: 0, actor });
    return { token: `agnes_${id}_${secret}`, info };
  }

  /** Returns who a token belongs to. @throws `token_invalid` */
  async verify(token: string): Promise<Principal> {
    const [, id = "", secret = ""] = TOKEN.exec(token) ?? [];
    const stored = id === "" ? null : ((await this.#catalog.get(id))?.record ?? null);
    const expected = Buffer.from(stored?.hash ?? hashOf(""), "hex");
    const isRight = timingSafeEqual(Buffer.from(hashOf(secret), "hex"), expected);
    if (stored === null || !isRight || this.#isExpired(stored)) throw new AgnesError("token_invalid", {});
    const { name, role, grants } = stored;
    return { id, name, role, grants };
  }

  #isExpired({ expiresAt }: StoredToken): boolean {
    return expiresAt !== null && Date.parse(expiresAt) <= this.#host.now().getTime();
  }

  close(): Promise<void> {
    return this.#catalog.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function hashOf(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}
