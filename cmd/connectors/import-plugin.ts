import { Console } from "node:console";
import { Writable } from "node:stream";
import { pathToFileURL } from "node:url";

import { plugin } from "bun";

import { messageOf } from "../../lib/base/mod.ts";
import { refuseExit } from "../process/exit.ts";
import { withoutSecrets } from "../process/plugin-origins.ts";
import { writePluginOutput } from "../terminal/stderr.ts";
import { reserveStdout } from "../terminal/stdout.ts";

/**
 * Imports a plugin of a workspace, TypeScript included.
 *
 * The plugin gets the program's own kit, Arrow and valibot, because two copies of a library do not accept each other's
 * objects. Its output, on the console or by `process.stdout`, goes to stderr, because stdout is for data. Secrets of the
 * sources are redacted in it, and control characters are escaped.
 */
export async function importPlugin(path: string): Promise<unknown> {
  reserveStdout(writeClean);
  await (provided ??= provideHostModules());
  return import(pathToFileURL(path).href);
}

const writeClean = (text: string) => writePluginOutput(withoutSecrets(text));

let provided: Promise<void> | undefined;

async function provideHostModules(): Promise<void> {
  refuseExit();
  const clean = new Writable({
    decodeStrings: false,
    write(data: string | Uint8Array, _encoding, done) {
      writeClean(typeof data === "string" ? data : Buffer.from(data).toString());
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
    clean.write(`warning  ${messageOf(warning)}\n`);
  };
  // Import these first: after a module is provided, importing its name returns the provided one here, too.
  const [arrow, valibot] = await Promise.all([import("apache-arrow"), import("valibot")]);
  const hostModules: Readonly<Record<string, () => object | Promise<object>>> = {
    agnes: () => import("../../lib/mod.ts"),
    "agnes/kit": () => import("../../lib/kit/public.ts"),
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
