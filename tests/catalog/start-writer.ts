import { spawn } from "node:child_process";

import { fileStorage, openCatalog, type Catalog } from "agnes/catalog";

/** A record of the writers. */
export interface Item {
  readonly id: string;
  readonly group: string;
  readonly n: number;
}

const WRITER = new URL("writer-process.ts", import.meta.url).pathname;

/** The catalog that the writers write to. */
export function openKilled(directory: string): Promise<Catalog<Item>> {
  const storage = fileStorage({ directory });
  return openCatalog<Item>({ storage, name: "killed", rowKey: "id", indexKeys: ["group", "n"] });
}

/** Starts a process that inserts `count` records into the catalog of each directory and reports each. */
export function startWriter(name: string, count: number, directories: readonly string[]) {
  const child = spawn(process.execPath, [WRITER, name, String(count), ...directories], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  const listeners = new Set<() => void>();
  child.stdout.on("data", (data: Buffer) => {
    output += data.toString();
    for (const listener of listeners) listener();
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const lines = () => output.split("\n").slice(0, -1);
  return {
    kill: () => child.kill("SIGKILL"),
    acknowledged: ended.then(() =>
      lines().map((line) => {
        const [place, actor, sequence] = line.split(" ");
        return { place: Number(place), actor: actor!, sequence: Number(sequence) };
      }),
    ),
    untilAcknowledged: (count: number) =>
      Promise.race([
        ended,
        new Promise<void>((resolve) => {
          const check = () => {
            if (lines().length >= count) resolve();
          };
          listeners.add(check);
          check();
        }),
      ]),
  };
}
