import { describe, expect, test } from "bun:test";

import * as v from "valibot";

import { CRM_TOKEN, crmData, fakeCrm } from "../fakes/crm.ts";
import { failuresOf, memoryConfig } from "../testing/failures.ts";
import { brokenPlugins } from "../testing/memory/broken.ts";
import { faultyConnectors, soundConnector } from "../testing/plugins/faulty-crm.ts";
import { memoryPlugin } from "../testing/memory/memory.ts";

describe("connectorContract() catches what is broken and nothing else:", () => {
  for (const { title, breaking, caught, capabilities, sourceQuery } of brokenPlugins) {
    test(title, async () => {
      expect(await failuresOf(memoryPlugin(breaking, capabilities, sourceQuery), memoryConfig)).toEqual([
        ...caught,
      ]);
    });
  }

  test("options that accept any key", async () => {
    const plugin = { ...memoryPlugin(), options: v.object({}) };
    expect(await failuresOf(plugin, memoryConfig)).toEqual(["options reject an unknown key"]);
  });

  const sound = {
    title: "nothing, when pages are followed as the kit does",
    plugin: soundConnector,
    caught: [],
  };
  for (const { title, plugin, caught } of [sound, ...faultyConnectors]) {
    test(title, async () => {
      const config = { secrets: { CRM_TOKEN }, server: fakeCrm(crmData(120, 1)) };
      expect(await failuresOf(plugin, config)).toEqual([...caught]);
    });
  }
});
