import { misbehave } from "../../../lib/testing/fakes/faulty-fetch.ts";
import type { JobQueue } from "./jobs.ts";
import type { KeboolaFault } from "./script.ts";

/** What a fault acts on. */
export interface FaultTarget {
  readonly now: Date;
  readonly jobs: JobQueue;
  /** The id in the path of the request. */
  readonly id: string | undefined;
}

// "Retry-After: 559" (blueprint, Group Maintenance).
const MAINTENANCE_SECONDS = 559;

/** Returns or throws what the client observes of a fault. */
export async function respondWithFault(
  fault: KeboolaFault,
  send: () => Promise<Response>,
  { now, jobs, id }: FaultTarget,
): Promise<Response> {
  switch (fault.kind) {
    case "status":
    case "reset":
    case "cut body":
      return misbehave(fault, send);
    case "cut part": {
      const { response, bytes } = await received(send);
      const size = Math.floor(bytes.length * fault.part);
      return misbehave({ kind: "cut body", bytes: size }, async () => new Response(bytes, response));
    }
    case "wrong length": {
      const { response, bytes } = await received(send);
      const headers = new Headers(response.headers);
      headers.set("content-length", String(bytes.length));
      return new Response(bytes.slice(0, Math.max(0, bytes.length - fault.missingBytes)), {
        status: response.status,
        headers,
      });
    }
    case "maintenance": {
      const seconds = fault.retryAfterSeconds ?? MAINTENANCE_SECONDS;
      const estimatedEndTime = new Date(now.getTime() + seconds * 1000).toISOString();
      return Response.json(
        { status: "maintenance", estimatedEndTime, reason: "The system is down for maintenance" },
        { status: 503, headers: { "retry-after": String(seconds) } },
      );
    }
    case "lost response":
      await received(send);
      return misbehave({ kind: "reset" }, send);
    case "job error":
      jobs.fail(Number(id), {
        code: fault.code ?? "storage.backend.error",
        message: fault.message ?? "Statement reached its statement timeout",
      });
      return send();
    case "job lost":
      jobs.lose(Number(id));
      return send();
  }
}

async function received(
  send: () => Promise<Response>,
): Promise<{ readonly response: Response; readonly bytes: Uint8Array<ArrayBuffer> }> {
  const response = await send();
  return { response, bytes: new Uint8Array(await response.arrayBuffer()) };
}
