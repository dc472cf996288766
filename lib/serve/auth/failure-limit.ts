import { isIPv6 } from "node:net";

import { AgnesError, type Host } from "../../base/mod.ts";

const FAILURES_MAX = 10;
const WINDOW_MS = 60_000;
/** Beyond this many addresses, the oldest is no longer limited. */
const ADDRESSES_MAX = 10_000;

/**
 * Limits failed sign-ins of each address. Only failures are limited: a right token is accepted in spite of them, because
 * several clients may share an address.
 */
export class FailureLimit {
  readonly #host: Pick<Host, "monotonicMs">;
  /** The start of the window of each address, and its failures since. */
  readonly #addresses = new Map<string, { startMs: number; failures: number }>();

  constructor(host: Pick<Host, "monotonicMs">) {
    this.#host = host;
  }

  /** Counts a failure. @throws `sign_in_limited` if the address had too many before */
  count(address: string | null): void {
    const key = networkOf(address);
    const now = this.#host.monotonicMs();
    const known = this.#addresses.get(key);
    if (known !== undefined && now - known.startMs < WINDOW_MS) {
      if (known.failures >= FAILURES_MAX)
        throw new AgnesError("sign_in_limited", { retryAfterMs: Math.ceil(known.startMs + WINDOW_MS - now) });
      known.failures += 1;
      return;
    }
    // Moves the address to the end of the map.
    this.#addresses.delete(key);
    const [oldest] = this.#addresses.keys();
    if (this.#addresses.size >= ADDRESSES_MAX) this.#addresses.delete(oldest!);
    this.#addresses.set(key, { startMs: now, failures: 1 });
  }
}

/** An IPv4 address, or the first 64 bits of an IPv6 address: a client has all addresses of such a network. */
function networkOf(address: string | null): string {
  if (address === null) return "unknown";
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? [];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return address.slice(0, 64);
  const [head = "", tail] = address.split("%", 1)[0]!.toLowerCase().split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":"));
  const [before, after] = [groups(head), groups(tail ?? "")];
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  return [...before, ...Array.from({ length: zeros }, () => "0"), ...after]
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":");
}
