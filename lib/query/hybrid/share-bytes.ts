import { AgnesError } from "../../base/mod.ts";
import type { ReadyAlias } from "./load-alias.ts";

/**
 * Sets the limits of scanned bytes of aliases, so that those of one source together stay within its limit of one query. Each has
 * its estimate and an equal part of the rest.
 * @throws `alias_limit_exceeded` if the estimates together are above the limit
 */
export function shareBytes(aliases: readonly ReadyAlias[]): void {
  for (const source of new Set(aliases.map(({ alias }) => alias.source))) {
    const own = aliases.filter(({ alias }) => alias.source === source);
    const max = Math.min(...own.map(({ estimate }) => estimate.maxScannedBytes ?? Infinity));
    const needed = own.map(({ estimate }) => estimate.scannedBytes ?? 0);
    const rest = max - needed.reduce((sum, bytes) => sum + bytes, 0);
    if (rest < 0) throw exceeded(own[needed.indexOf(Math.max(...needed))]!, max);
    for (const [at, ready] of own.entries()) {
      const { maxScannedBytes = Infinity } = ready.alias.limits;
      ready.limitBytes = Math.min(maxScannedBytes, needed[at]! + Math.floor(rest / own.length));
    }
  }
}

function exceeded({ alias: { name: alias, source } }: ReadyAlias, max: number): AgnesError {
  return new AgnesError("alias_limit_exceeded", { alias, source, limit: "scanned bytes together", max });
}
