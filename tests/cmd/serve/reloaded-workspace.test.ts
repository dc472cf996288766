import { describe, expect, test } from "bun:test";

import { ReloadedWorkspace } from "../../../cmd/serve/reloaded-workspace.ts";
import type { Agnes } from "../../../lib/agnes.ts";
import { createHost, createLog, type LogEntry } from "../../../lib/base/mod.ts";
import { partsOf, ServerState } from "../../../lib/serve/mod.ts";

/** A workspace of which the test decides when its parts end. */
function fakeWorkspace(name: string, events: string[]) {
  const request = Promise.withResolvers<Response>();
  const scheduler = Promise.withResolvers<void>();
  const agnes = {
    fetch: () => {
      events.push(`${name} handles`);
      return request.promise;
    },
    stopScheduler: () => {
      events.push(`${name} stops its scheduler`);
      return scheduler.promise;
    },
    async close() {
      await Bun.sleep(name === "first" ? 100 : 0);
      events.push(`${name} is closed`);
    },
  } as unknown as Agnes;
  return { agnes, request, scheduler };
}

const settled = () => new Promise<void>((resolve) => setTimeout(resolve, 30));

function setup() {
  const events: string[] = [];
  const entries: LogEntry[] = [];
  const state = new ServerState();
  const first = fakeWorkspace("first", events);
  const opened: ReturnType<typeof fakeWorkspace>[] = [];
  let open = async (): Promise<Agnes> => {
    const next = fakeWorkspace(`next ${opened.length + 1}`, events);
    opened.push(next);
    return next.agnes;
  };
  const workspace = new ReloadedWorkspace(first.agnes, () => open(), {
    log: createLog((entry) => entries.push(entry)),
    state,
  });
  const fetch = () => workspace.fetch(new Request("http://a"), {});
  return {
    events,
    entries,
    state,
    first,
    opened,
    workspace,
    fetch,
    setOpen: (next: typeof open) => (open = next),
  };
}

describe("ReloadedWorkspace", () => {
  test.each(["its syncs", "its requests", "the queries of their responses"] as const)(
    "an earlier workspace is closed only after %s",
    async (last) => {
      const { events, state, first, workspace, fetch } = setup();
      const response = fetch();
      const principal = { id: "a", name: "a" };
      const query = { id: "query-1", principal, cancel() {}, text: "", isTextLogged: false };
      const record = partsOf(state).queries.start(createHost(), query);
      await workspace.reload();
      void fetch();
      await settled();
      expect(events).toEqual(["first handles", "first stops its scheduler", "next 1 handles"]);
      const ends = {
        "its syncs": () => first.scheduler.resolve(),
        "its requests": () => first.request.resolve(new Response()),
        "the queries of their responses": () => void partsOf(state).queries.end(createHost(), record, null),
      };
      for (const [what, end] of Object.entries(ends)) if (what !== last) end();
      // Longer than the interval in which it looks for running queries.
      await Bun.sleep(150);
      expect(events).not.toContain("first is closed");
      ends[last]();
      await response;
      while (!events.includes("first is closed")) await Bun.sleep(5);
      expect(events).not.toContain("next 1 is closed");
      await workspace.close();
      expect(events.at(-1)).toBe("next 1 is closed");
    },
  );

  test("several reloads at once open the workspace once more than the one that runs", async () => {
    const { opened, workspace, setOpen, events } = setup();
    const running = Promise.withResolvers<Agnes>();
    let opens = 0;
    setOpen(async () => {
      opens += 1;
      return opens === 1 ? running.promise : fakeWorkspace(`later ${opens}`, events).agnes;
    });
    const reloads = [workspace.reload()];
    await settled();
    for (let at = 0; at < 5; at++) reloads.push(workspace.reload());
    running.resolve(fakeWorkspace("later 1", events).agnes);
    await Promise.all(reloads);
    expect([opens, opened.length]).toEqual([2, 0]);
    await workspace.close();
  });

  test("if the workspace cannot be opened, the current one stays, and the next reload works", async () => {
    const { events, entries, workspace, fetch, setOpen } = setup();
    setOpen(() => Promise.reject(new Error("bad file")));
    await workspace.reload();
    void fetch();
    expect([events, entries.map(({ level }) => level)]).toEqual([["first handles"], ["error"]]);
    setOpen(async () => fakeWorkspace("good", events).agnes);
    await workspace.reload();
    void fetch();
    expect(events.at(-1)).toBe("good handles");
    await workspace.close();
  });

  test("close() waits neither for syncs nor for requests of earlier workspaces, and closes all", async () => {
    const { events, opened, workspace, fetch } = setup();
    void fetch();
    await workspace.reload();
    await workspace.close();
    expect(events.filter((event) => event.endsWith("closed")).toSorted()).toEqual([
      "first is closed",
      "next 1 is closed",
    ]);
    // A signal that arrives now opens nothing.
    await workspace.reload();
    expect(opened).toHaveLength(1);
  });
});
