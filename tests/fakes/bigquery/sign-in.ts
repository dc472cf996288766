import { generateKeyPairSync, verify } from "node:crypto";

import type { FakeRoute } from "agnes/testing";

const EMAIL = "agnes@shop-1.iam.gserviceaccount.com";

/** The fake token service of Google, with one service account and one user. */
export class FakeSignIn {
  /** The issued tokens that are still valid. */
  readonly valid = new Set<string>();
  /** How many tokens were issued. */
  issued = 0;
  /** The scopes of the last token. */
  scope = "";
  readonly #keys = generateKeyPairSync("rsa", { modulusLength: 2048 });

  readonly #uses = new Map<string, number>();

  /** Whether a token is valid. It expires after a number of requests. */
  accepts(token: string, usesMax: number): boolean {
    const uses = (this.#uses.get(token) ?? 0) + 1;
    this.#uses.set(token, uses);
    if (uses > usesMax) this.valid.delete(token);
    return this.valid.has(token);
  }

  /** The key of the service account, as JSON. */
  get serviceAccount(): string {
    const key = this.#keys.privateKey.export({ type: "pkcs8", format: "pem" }) as string;
    return JSON.stringify({ type: "service_account", client_email: EMAIL, private_key: key });
  }

  /** The credentials of the user, as `gcloud` stores them. */
  readonly user: Readonly<Record<string, string>> = {
    type: "authorized_user",
    client_id: "client-1",
    client_secret: "s3cret-client",
    refresh_token: "s3cret-refresh",
  };

  /** `POST https://oauth2.googleapis.com/token`. */
  readonly token: FakeRoute = ({ body }) => {
    const form = new URLSearchParams(body);
    const grant = form.get("grant_type") ?? "";
    const isUser = grant === "refresh_token" && form.get("refresh_token") === this.user["refresh_token"];
    if (!isUser && !this.#accepts(grant, form.get("assertion") ?? ""))
      return Response.json(
        { error: "invalid_grant", error_description: "Invalid JWT Signature." },
        { status: 400 },
      );
    return this.issue();
  };

  /** A token of the metadata server. */
  readonly machineToken: FakeRoute = ({ headers }) =>
    headers.get("metadata-flavor") === "Google" ? this.issue() : new Response("forbidden", { status: 403 });

  issue(): Response {
    this.issued += 1;
    const token = `ya29.t0ken-${this.issued}`;
    this.valid.add(token);
    return Response.json({ access_token: token, expires_in: 3600, token_type: "Bearer" });
  }

  #accepts(grant: string, assertion: string): boolean {
    const [header = "", claims = "", signature = ""] = assertion.split(".");
    if (!grant.endsWith("jwt-bearer") || claims === "") return false;
    const { iss, scope } = JSON.parse(Buffer.from(claims, "base64url").toString()) as Record<string, string>;
    this.scope = scope ?? "";
    const signed = Buffer.from(`${header}.${claims}`);
    return (
      iss === EMAIL && verify("RSA-SHA256", signed, this.#keys.publicKey, Buffer.from(signature, "base64url"))
    );
  }
}
