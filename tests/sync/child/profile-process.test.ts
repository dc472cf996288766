import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { createAgnes } from "agnes";

import { AgnesError, createHost, silentLog } from "../../../lib/base/mod.ts";
import { ProfileUpdates, type ProfileProcess } from "../../../lib/profile/mod.ts";
import { profileProcess } from "../../../lib/sync/child/profile-process.ts";
import { syncProcessSettings } from "../../../lib/sync/mod.ts";
import files from "../../../plugins/files/plugin.ts";
import { temporaryFolder } from "../workspace.ts";

/** A workspace whose tables `orders` and `people` changed after their profiles were computed. */
async function changed() {
  const folder = temporaryFolder();
  const exports = join(folder.path, "exports");
  mkdirSync(exports);
  const write = (rows: string) => {
    for (const name of ["orders", "people"]) writeFileSync(join(exports, `${name}.csv`), `id\n${rows}`);
  };
  write("1\n");
  const agnes = await createAgnes({
    workspace: folder.path,
    plugins: [files],
    config: { version: 1, sources: { shop: { plugin: "files", options: { path: exports } } } },
  });
  await agnes.sync();
  const tables = await agnes.tables();
  for (const id of ["shop.orders", "shop.people"]) await tables.update(id, { profileAfterSync: false });
  write("1\n2\n");
  await agnes.sync();
  const { workspace, plugins } = agnes;
  const services = {
    host: createHost(),
    log: silentLog,
    limits: workspace.config.limits,
    workspace,
    plugins,
    publishedStates: () => async () => undefined,
  };
  const updates = new ProfileUpdates(services);
  return {
    /** Updates the profiles in a process that runs a script of the shell. */
    update: (script: string, limits: { readonly profilesMb?: number; readonly timeoutMs?: number } = {}) => {
      const { timeoutMs, profilesMb } = limits;
      const settings = syncProcessSettings({ command: ["sh", "-c", script] }, workspace.config.limits, "");
      const process = profileProcess(services, { ...settings, ...(profilesMb && { profilesMb }) });
      return updates.update(["shop.orders", "shop.people"], {
        process,
        ...(timeoutMs !== undefined && { timeoutMs }),
      });
    },
    updateBy: (process: ProfileProcess, signal?: AbortSignal) =>
      updates.update(["shop.orders", "shop.people"], { process, signal }),
    kept: (table: string) => agnes.profile(table, { compute: "never" }),
    async [Symbol.asyncDispose]() {
      await agnes.close();
      folder[Symbol.dispose]();
    },
  };
}

const message = (value: object) => `printf '%b%s\\n' '\\036' '${JSON.stringify(value)}'`;
const begun = (name: string) => message({ type: "begun", name });

test("a profile that ends its process fails alone, and another process computes the others", async () => {
  await using own = await changed();
  const computed = { table: "shop.people", status: "computed", elapsedMs: 5 };
  const outcomes = await own.update(
    `read -r task; case "$task" in
       *'"tables":["shop.orders","shop.people"]'*) ${begun("shop.orders")}; kill -SEGV $$ ;;
       *) ${begun("shop.people")}; ${message({ type: "profiled", outcome: computed })}; ${message({ type: "done" })} ;;
     esac`,
  );
  expect(outcomes).toMatchObject([
    { table: "shop.orders", status: "failed", code: "profile_process_ended" },
    computed,
  ]);
  expect(outcomes[0]!.reason).toContain("signal SIGSEGV");
  expect(await own.kept("orders")).toMatchObject({ row_count: 1, stale: { code: "profile_process_ended" } });
});

test("too much memory fails the profiles of a process that began none, until the tables change", async () => {
  await using own = await changed();
  const code = "profile_memory_exceeded";
  const limits = { profilesMb: 0.01 };
  expect(await own.update("sleep 60", limits)).toMatchObject([{ code }, { code }]);
  expect(await own.kept("people")).toMatchObject({ row_count: 1, stale: { code } });
  expect(await own.update("exit 1", limits)).toEqual([]);
});

test("a profile without an end is stopped at the time limit, and the others have no time left", async () => {
  await using own = await changed();
  const outcomes = await own.update(`${begun("shop.people")}; sleep 60`, { timeoutMs: 300 });
  expect(outcomes).toMatchObject([
    { table: "shop.people", status: "failed", code: "timed_out" },
    { table: "shop.orders", status: "failed" },
  ]);
  expect(outcomes[1]!.reason).toContain("the 10 minutes for all of them; the next sync computes it");
  expect(await own.kept("people")).toMatchObject({ row_count: 1, stale: { code: "timed_out" } });
  expect((await own.kept("orders")).stale).toMatchObject({ code: null });
});

test("a process that cannot begin, or names other tables, fails all profiles, and the next sync tries again", async () => {
  await using own = await changed();
  const code = "profile_process_ended";
  for (const script of ["exit 3", `${begun("shop.others")}; sleep 60`])
    expect(await own.update(script)).toMatchObject([{ code }, { code }]);
});

test("an update that is stopped records no failure", async () => {
  await using own = await changed();
  const controller = new AbortController();
  const outcomes = await own.updateBy(async ({ onBegin }) => {
    onBegin("shop.orders");
    controller.abort();
    return () => new AgnesError("internal", { what: "stopped" });
  }, controller.signal);
  expect(outcomes).toEqual([]);
  expect((await own.kept("orders")).stale).toMatchObject({ code: null });
});
