/**
 * The fake of Keboola's tests in a process of its own, so that its work and its memory do not count as those of the
 * connector. A request has its address in a header, because all hosts of the fake are behind one port.
 *
 *   bun bench/keboola-server.ts OPTIONS   (OPTIONS: the JSON of `ServedTable`)
 */
import { fakeKeboola } from "../tests/fakes/keboola/mod.ts";

/** A table of the server, whose export is these files. */
export interface ServedTable {
  readonly format: "csv" | "parquet";
  readonly columns: readonly { readonly name: string; readonly type: string; readonly length?: string }[];
  readonly paths: readonly string[];
  readonly rows: number;
}

/** A running server. */
export interface ServedKeboola extends AsyncDisposable {
  readonly stack: string;
  readonly token: string;
  readonly fetch: typeof fetch;
  openSlicesMax(): Promise<number>;
}

const ADDRESS = "x-address";

/** Starts the server in another process. */
export async function serveKeboola(table: ServedTable): Promise<ServedKeboola> {
  const child = Bun.spawn([process.execPath, import.meta.path, JSON.stringify(table)], { stdout: "pipe" });
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  const { port, stack, token } = JSON.parse(new TextDecoder().decode(value)) as Started;
  const server = `http://127.0.0.1:${port}/`;
  const send = async (...[input, init]: Parameters<typeof fetch>): Promise<Response> => {
    const { url, method, body, signal } = new Request(input as string, init);
    const headers = new Headers(init?.headers);
    headers.set(ADDRESS, url);
    return fetch(server, { method, headers, body, signal, redirect: "manual" });
  };
  return {
    stack,
    token,
    fetch: send as typeof fetch,
    openSlicesMax: async () => Number(await (await fetch(server)).text()),
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await child.exited;
    },
  };
}

interface Started {
  readonly port: number;
  readonly stack: string;
  readonly token: string;
}

if (import.meta.main) {
  const { format, columns, paths, rows } = JSON.parse(process.argv[2]!) as ServedTable;
  const keboola = fakeKeboola({ parquet: format === "parquet", jobPolls: 0 });
  keboola.storage.createTable("in.c-bench.orders", {
    columns,
    prepared: { [format]: paths, rowsCount: rows },
  });
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: async ({ method, headers, body }) => {
      const address = headers.get(ADDRESS);
      if (address === null) return new Response(String(keboola.openSlicesMax));
      headers.delete(ADDRESS);
      return keboola.fetch(address, { method, headers, body });
    },
  });
  const { stack, token } = keboola;
  console.log(JSON.stringify({ port: server.port, stack, token }));
}
