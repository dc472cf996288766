import { Console } from "node:console";
import { Writable } from "node:stream";
import { pathToFileURL } from "node:url";

import { plugin } from "bun";

import { messageOf, printable } from "../../lib/base/mod.ts";
import { refuseExit } from "../process/exit.ts";
import { withoutSecrets } from "../process/plugin-origins.ts";
import { reserveStdout } from "../terminal/stdout.ts";

/**
 * Imports a plugin of a workspace, TypeScript as it is.
 *
 * The plugin gets our own kit, Arrow and valibot: two copies of a library do not know each other's objects. What it
 * prints, on the console or by `process.stdout`, goes to stderr, because stdout is for data. On the console, and in
 * warnings, the secrets of the sources are redacted.
 */
export async function importPlugin(path: string): Promise<unknown> {
  reserveStdout();
  await (provided ??= provideHostModules());
  return import(pathToFileURL(path).href);
}

let provided: Promise<void> | undefined;

async function provideHostModules(): Promise<void> {
  refuseExit();
  const clean = new Writable({
    decodeStrings: false,
    write(data: string | Uint8Array, _encoding, done) {
      process.stderr.write(withoutSecrets(typeof data === "string" ? data : Buffer.from(data).toString()));
      done();
    },
  });
  globalThis.console = Object.assign(new Console({ stdout: clean, stderr: clean }), {
    write(...parts: readonly (string | ArrayBuffer | ArrayBufferView)[]) {
      const data = Buffer.concat(parts.map(bytesOf));
      clean.write(data);
      return data.length;
    },
  });
  process.emitWarning = (warning: string | Error) => {
    clean.write(`warning  ${printable(messageOf(warning))}\n`);
  };
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
