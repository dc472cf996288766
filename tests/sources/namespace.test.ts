import { expect, test } from "bun:test";
import * as v from "valibot";

import { recordingLog } from "agnes/testing";
import { definePlugin } from "agnes/kit";

import { namespaceOf } from "../../lib/sources/mod.ts";

const plugin = definePlugin({
  name: "warehouse",
  version: "1.0.0",
  description: "Tables with a namespace",
  capabilities: ["read"],
  options: v.strictObject({ project: v.string() }),
  secrets: {},
  namespace: ({ project }) => project,
  connect: () => ({ async *read() {} }),
});

test("the namespace of a source comes from its checked options, and broken options have none", () => {
  const services = { plugins: { get: () => plugin }, log: recordingLog() };
  const of = (options: unknown) => namespaceOf(services, "w", { plugin: "warehouse", options });
  expect(of({ project: "p-1" })).toBe("p-1");
  expect(of({})).toBeUndefined();
  expect(of({ project: "p-1", other: 1 })).toBeUndefined();
});
