import { atMost, raceAbort, type Host } from "../base/mod.ts";

/** How long a source waits for those before it to register their tables. */
const WAIT_MS = 10_000;

/** The turn of one source to register what is new. */
export interface RegistrationTurn {
  /** Waits until the sources before this one have registered, but not long for one that is slow. */
  begin(signal: AbortSignal): Promise<void>;
  /** This source has registered, or will not. */
  end(): void;
}

/**
 * Lets sources that run at once register their tables in the order of `agnes.yaml`, because the first to want a view
 * name gets it, and that should not depend on which source answers first.
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
