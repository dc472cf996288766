import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { connectorContract } from "agnes/testing";

import { CRM_TOKEN, crmData, fakeCrm } from "../fakes/crm.ts";
import crm from "./plugins/crm.ts";

// Opens many databases, which is slow on a busy machine.
setDefaultTimeout(60_000);

describe("crm: contract", () => {
  const config = { secrets: { CRM_TOKEN }, server: fakeCrm() };
  for (const { name, run } of connectorContract(crm, config)) test(name, run);
});

describe("fakeCrm()", () => {
  const headers = { authorization: `Bearer ${CRM_TOKEN}` };

  test("fakeCrm() returns every row once over its pages, also after a short page", async () => {
    const server = fakeCrm(crmData(120, 75));
    server.shortenNextPage(1);
    const ids: number[] = [];
    const pages: number[] = [];
    for (let cursor: string | null = ""; cursor !== null;) {
      const response = await server.fetch(
        `https://crm.example.com/v1/contacts?limit=50${cursor && `&cursor=${cursor}`}`,
        {
          headers,
        },
      );
      const page = (await response.json()) as { results: { id: number }[]; paging: { next: string | null } };
      pages.push(page.results.length);
      ids.push(...page.results.map((contact) => contact.id));
      cursor = page.paging.next;
    }
    expect(ids).toEqual(Array.from({ length: 120 }, (_, at) => at + 1));
    expect(pages).toEqual([50, 25, 45]);
  });

  test("fakeCrm() rejects a wrong token and unknown paths", async () => {
    const server = fakeCrm();
    expect((await server.fetch("https://crm.example.com/v1/deals")).status).toBe(401);
    expect((await server.fetch("https://crm.example.com/v2/deals", { headers })).status).toBe(404);
  });
});
