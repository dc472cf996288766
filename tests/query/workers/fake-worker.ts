import { FrameReader, messageFrame } from "../../../lib/query/workers/frames.ts";

/** A worker process without DuckDB: it returns the limits of each task as its result. */
const send = (message: unknown) => void process.stdout.write(messageFrame(message));
const reader = new FrameReader({
  message: (message) => {
    const { type, limits } = message as { readonly type: string; readonly limits: unknown };
    if (type === "open") send({ type: "ready" });
    if (type === "run") send({ type: "described", table: limits });
  },
  data: () => {},
});
for await (const bytes of process.stdin) reader.take(bytes as Buffer);
