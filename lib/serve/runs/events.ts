import type { Host } from "../../base/mod.ts";

/** How often it looks for news, and the longest time without an event, so that proxies keep the connection. */
const POLL_MS = 500;
const PING_MS = 15_000;

interface State {
  readonly json: string;
  /** Whether this is the last one. */
  readonly isOver: boolean;
}

/** Responds with server-sent events: one for each new state, until the last one. @param options.ending aborts to end it now */
export function eventResponse(
  first: State,
  read: () => Promise<State>,
  options: { readonly host: Host; readonly signal: AbortSignal; readonly ending: AbortSignal },
): Response {
  const { host, ending } = options;
  const encoder = new TextEncoder();
  const stop = new AbortController();
  const isGone = AbortSignal.any([stop.signal, options.signal]);
  const either = AbortSignal.any([isGone, ending]);
  let state = first;
  let isFirst = true;
  const eventOf = ({ json }: State) => `event: run\ndata: ${json}\n\n`;
  const last = async (): Promise<string> => {
    // The workspace may close meanwhile.
    state = { ...(await read().catch(() => state)), isOver: true };
    return eventOf(state);
  };
  const next = async (): Promise<string> => {
    for (let waitedMs = 0; waitedMs < PING_MS; waitedMs += POLL_MS) {
      try {
        await host.sleep(POLL_MS, either);
      } catch (error) {
        if (ending.aborted && !isGone.aborted) return last();
        throw error;
      }
      const now = await read();
      const isNew = now.json !== state.json;
      state = now;
      if (isNew) return eventOf(state);
    }
    return ": no news\n\n";
  };
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (!isFirst && state.isOver) return controller.close();
        const text = isFirst ? eventOf(state) : await next();
        isFirst = false;
        controller.enqueue(encoder.encode(text));
        return undefined;
      },
      cancel: () => stop.abort(),
    },
    { highWaterMark: 0 },
  );
  return new Response(stream, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-cache" },
  });
}
