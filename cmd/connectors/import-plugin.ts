import { Console } from "node:console";
import { pathToFileURL } from "node:url";

import { plugin } from "bun";

import { reserveStdout } from "../terminal/stdout.ts";

/**
 * Imports a plugin of a workspace, TypeScript as it is.
 *
 * The plugin gets our own kit, Arrow and valibot: two copies of a library do not know each other's objects. What it
 * prints, on the console or by `process.stdout`, goes to stderr, because stdout is for data.
 */
export async function importPlugin(path: string): Promise<unknown> {
  reserveStdout();
  await (provided ??= provideHostModules());
  return import(pathToFileURL(path).href);
}

let provided: Promise<void> | undefined;

async function provideHostModules(): Promise<void> {
  const { stderr } = process;
  globalThis.console = Object.assign(new Console({ stdout: stderr, stderr }), {
    write(...parts: readonly (string | ArrayBuffer | ArrayBufferView)[]) {
      const data = Buffer.concat(parts.map(bytesOf));
      stderr.write(data);
      return data.length;
    },
  });
  // Once a name is provided, importing it gives what is provided, here too: these must be at hand before.
  const [arrow, valibot] = await Promise.all([import("apache-arrow"), import("valibot")]);
  const hostModules: Readonly<Record<string, () => object | Promise<object>>> = {
    agnes: () => import("../../lib/mod.ts"),
    "agnes/kit": () => import("../../lib/kit/mod.ts"),
    "agnes/testing": () => import("../../lib/testing/mod.ts"),
    "apache-arrow": () => arrow,
    valibot: () => valibot,
  };
  plugin({
    name: "agnes-host-modules",
    setup(build) {
      for (const [name, load] of Object.entries(hostModules)) {
        build.module(name, async () => ({ exports: { ...(await load()) }, loader: "object" }));
      }
    },
  });
}

function bytesOf(part: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof part === "string") return Buffer.from(part);
  return ArrayBuffer.isView(part)
    ? new Uint8Array(part.buffer, part.byteOffset, part.byteLength)
    : new Uint8Array(part);
}
