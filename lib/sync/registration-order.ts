import { atMost, raceAbort, type Host } from "../base/mod.ts";

/** How long a source waits for earlier ones to register their tables. */
const WAIT_MS = 10_000;

/** The turn of one source to register its new tables. */
export interface RegistrationTurn {
  /** Waits until the earlier sources have registered their tables, with a timeout for slow ones. */
  begin(signal: AbortSignal): Promise<void>;
  /** Ends the turn: this source has registered its tables, or has none to register. */
  end(): void;
}

/**
 * Makes concurrent sources register their tables in the order of `agnes.yaml`, because the first source to request a
 * view name gets it, which should not depend on response times.
 */
export function registrationOrder(
  host: Pick<Host, "sleep">,
  sources: readonly string[],
): (source: string) => RegistrationTurn {
  const ends = new Map(sources.map((source) => [source, openEnd()]));
  return (source) => ({
    async begin(signal) {
      const earlier = sources.slice(0, sources.indexOf(source)).map((one) => ends.get(one)!.promise);
      if (earlier.length === 0) return;
      const waiting = raceAbort(Promise.all(earlier), signal, "the wait for other sources");
      await atMost(
        waiting.catch(() => {}),
        WAIT_MS,
        host,
      );
    },
    end: () => ends.get(source)?.resolve(),
  });
}

function openEnd(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}
