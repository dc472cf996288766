import { pathToFileURL } from "node:url";

import { plugin } from "bun";

/**
 * Imports a plugin of a workspace, TypeScript as it is.
 *
 * The plugin gets our own kit, Arrow and valibot: two copies of a library do not know each other's objects.
 */
export function importPlugin(path: string): Promise<unknown> {
  provideHostModules();
  return import(pathToFileURL(path).href);
}

const hostModules: Readonly<Record<string, () => Promise<object>>> = {
  agnes: () => import("../../lib/mod.ts"),
  "agnes/kit": () => import("../../lib/kit/mod.ts"),
  "agnes/testing": () => import("../../lib/testing/mod.ts"),
  "apache-arrow": () => import("apache-arrow"),
  valibot: () => import("valibot"),
};

let isProvided = false;

function provideHostModules(): void {
  if (isProvided) return;
  isProvided = true;
  plugin({
    name: "agnes-host-modules",
    setup(build) {
      for (const [name, load] of Object.entries(hostModules)) {
        build.module(name, async () => ({ exports: { ...(await load()) }, loader: "object" }));
      }
    },
  });
}
