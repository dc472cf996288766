import { describe, expect, test } from "bun:test";

import { fakeKeboola, type FakeKeboola } from "../fakes/keboola/mod.ts";
import { errorsOf, openProject, rejection } from "./support.ts";

const TABLE = "in.c-crm.people";

function crm(): FakeKeboola {
  const keboola = fakeKeboola();
  keboola.storage.createTable(TABLE, { columns: ["id"], rows: [{ id: "1" }] });
  return keboola;
}

/** A project whose responses are changed; `urls` are all that is requested. */
function changed(
  keboola: FakeKeboola,
  change: (url: URL, send: () => Promise<Response>) => Promise<Response>,
): { readonly project: FakeKeboola; readonly urls: string[] } {
  const urls: string[] = [];
  const answer = async (...[input, init]: Parameters<typeof fetch>): Promise<Response> => {
    const url = input instanceof Request ? input.url : String(input);
    urls.push(url);
    return change(new URL(url), () => keboola.fetch(input, init));
  };
  const host: FakeKeboola["host"] = (options) =>
    keboola.host({ ...options, fetch: answer as unknown as typeof fetch });
  return { project: { ...keboola, host }, urls };
}

describe("the stack", () => {
  test("does not lead to other hosts by a redirect", async () => {
    for (const location of ["https://169.254.169.254/latest/meta-data", "https://localhost:9200/"]) {
      const { project, urls } = changed(crm(), async () =>
        Promise.resolve(new Response("", { status: 302, headers: { location } })),
      );
      await using opened = await openProject(project);
      const error = await rejection(opened.tables());
      expect(error).toMatchObject({
        code: "keboola/request_refused",
        hint: "Check `url` in the options of the source.",
      });
      expect(new Set(urls.map((url) => new URL(url).origin))).toEqual(new Set([project.stack]));
    }
  });

  test("is asked for a job by its id if its address is not that of the job", async () => {
    for (const url of [
      "https://other.test/v2/storage/jobs/7",
      "//…/jobs/7",
      "http://",
      "https://other.test//x/y",
    ]) {
      const { project, urls } = changed(crm(), async ({ pathname }, send) => {
        const response = await send();
        if (!pathname.endsWith("/export-async")) return response;
        return Response.json({ ...((await response.json()) as object), url }, { status: response.status });
      });
      await using opened = await openProject(project);
      expect([url, errorsOf(await opened.sync({ [TABLE]: {} }))]).toEqual([url, []]);
      expect(await opened.rows("SELECT id FROM people")).toEqual([{ id: "1" }]);
      expect(urls.filter((one) => /other\.test|jobs\/7$/.test(one))).toEqual([]);
    }
  });

  test("without the branch of the options names the option, and its default branch is not read instead", async () => {
    const keboola = crm();
    await using project = await openProject(keboola);
    const info = (await project.tables()).get(TABLE)!;
    await using opened = await openProject(keboola, { branch: 999 });
    const error = {
      code: "keboola/branch_missing",
      hint: expect.stringContaining("Correct or remove `branch`") as string,
    };
    expect(await rejection(opened.tables())).toMatchObject(error);
    expect(await rejection(opened.read(info))).toMatchObject(error);
    expect(keboola.jobs).toEqual([]);
  });

  test("without a branch whose list the token may not read names the option", async () => {
    const keboola = crm();
    keboola.onRequest((step) => (step === "branches" ? { kind: "status", status: 403 } : undefined));
    await using opened = await openProject(keboola, { branch: 999 });
    expect(await rejection(opened.tables())).toMatchObject({
      code: "keboola/request_refused",
      hint: "Correct `branch` in the options of the source, if the project has no branch 999.",
    });
  });

  test("that does not implement a request is not asked again, and is not an error of the table", async () => {
    const keboola = crm();
    keboola.onRequest((step) => (step === "export" ? { kind: "status", status: 501 } : undefined));
    await using opened = await openProject(keboola);
    const [failure] = (await opened.sync({ [TABLE]: {} })).errors;
    const { code, retry, hint } = failure!.error;
    expect([code, retry]).toEqual(["keboola/request_refused", "permanent"]);
    expect(hint).toStartWith("The stack cannot process this request, and running it again does not help");
  });
});

describe("the cloud of an export", () => {
  // The first request to it reads the list of slices, the others read slices.
  test.each([0, 1])("does not lead to other hosts by a redirect of request %d and later", async (first) => {
    let cloudCalls = 0;
    const keboola = crm();
    const { project, urls } = changed(keboola, async ({ origin }, send) => {
      if (origin === keboola.stack) return send();
      cloudCalls += 1;
      const location = "https://169.254.169.254/latest/meta-data";
      return cloudCalls <= first ? send() : new Response("", { status: 302, headers: { location } });
    });
    await using opened = await openProject(project);
    const [error] = errorsOf(await opened.sync({ [TABLE]: {} }));
    expect(error).toStartWith("people: keboola/file_refused: ");
    expect(error).toContain("redirects, which is not allowed");
    expect(urls.filter((url) => url.includes("169.254"))).toEqual([]);
    expect(cloudCalls).toBeGreaterThan(first);
  });
});
