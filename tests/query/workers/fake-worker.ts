import { dataFrames, FrameReader, messageFrame } from "../../../lib/query/workers/frames.ts";

/**
 * A worker process without DuckDB: it returns the limits of each task as its result. For the table `many`, rows for which a
 * buffer without space has no room come with it, and for `endless`, such rows come and then nothing until it is stopped.
 */
const send = (...frames: readonly Uint8Array[]) => void process.stdout.write(Buffer.concat(frames));
const rows = [...dataFrames(new Uint8Array([1])), ...dataFrames(new Uint8Array([2]))];
const reader = new FrameReader({
  message: (message) => {
    const { type, task, limits } = message as {
      readonly type: string;
      readonly task?: { readonly table: string };
      readonly limits: unknown;
    };
    if (type === "open") send(messageFrame({ type: "ready" }));
    if (type === "stop") send(messageFrame({ type: "end", receipt: {} }));
    if (type !== "run") return;
    if (task!.table === "endless") return send(...rows);
    const result = messageFrame({ type: "described", table: limits });
    send(...(task!.table === "many" ? rows : []), result);
  },
  data: () => {},
});
for await (const bytes of process.stdin) reader.take(bytes as Buffer);
