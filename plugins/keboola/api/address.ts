import { lookup } from "node:dns/promises";

import ipaddr from "ipaddr.js";

import { errors } from "../errors.ts";

/** Returns the addresses of a host. */
export type Lookup = (host: string) => Promise<readonly { readonly address: string }[]>;

/** The hosts of the clouds that hold files. */
const CLOUD_HOST =
  /^(storage\.googleapis\.com|[\w.-]+\.amazonaws\.com(\.cn)?|[\w-]+\.blob\.core\.windows\.net)$/;

const systemLookup: Lookup = (host) => lookup(host, { all: true });

/**
 * Refuses hosts whose addresses are not public, so that a wrong URL cannot reach services of the own network, such as the
 * metadata of a cloud machine. Each host is resolved once.
 */
export class AddressCheck {
  readonly #isOff: boolean;
  readonly #lookup: Lookup;
  readonly #checked = new Map<string, Promise<void>>();

  constructor(options: { readonly allowPrivateAddress: boolean; readonly lookup?: Lookup }) {
    this.#isOff = options.allowPrivateAddress;
    this.#lookup = options.lookup ?? systemLookup;
  }

  /**
   * Checks the host and the protocol of a URL.
   * @throws `keboola/address_private`, `keboola/address_unknown`, `keboola/stack_invalid` for plain HTTP
   */
  async check(address: string): Promise<void> {
    if (this.#isOff) return;
    const { hostname, protocol } = new URL(address);
    // A network may have private entries to them.
    if (protocol === "https:" && CLOUD_HOST.test(hostname)) return;
    if (protocol !== "https:")
      throw errors.stack_invalid({ reason: `${protocol}//${hostname} is not https` });
    let checking = this.#checked.get(hostname);
    if (checking === undefined) {
      checking = this.#resolve(hostname);
      this.#checked.set(hostname, checking);
      // A failed lookup is repeated by the next request.
      checking.catch(() => this.#checked.delete(hostname));
    }
    await checking;
  }

  async #resolve(hostname: string): Promise<void> {
    const host = hostname.replace(/^\[(.*)\]$/, "$1");
    for (const address of await this.#addressesOf(host)) {
      const kind = kindOf(address);
      if (kind !== "unicast") throw errors.address_private({ host, address, kind: `not public (${kind})` });
    }
  }

  async #addressesOf(host: string): Promise<readonly string[]> {
    if (ipaddr.isValid(host)) return [host];
    try {
      const found = await this.#lookup(host);
      if (found.length > 0) return found.map(({ address }) => address);
    } catch (error) {
      const { code } = error as { readonly code?: unknown };
      const reason = typeof code === "string" ? code : "the lookup failed";
      throw errors.address_unknown({ host, reason }, { cause: error });
    }
    throw errors.address_unknown({ host, reason: "it has none" });
  }
}

/** The kind of an address; `unicast` is public. An IPv4 address inside an IPv6 address counts as itself. */
function kindOf(address: string): string {
  if (!ipaddr.isValid(address)) return "invalid";
  return ipaddr.process(address.split("%")[0]!).range();
}
