import { expect, test } from "bun:test";

import { planNames } from "../../lib/analytics/views/plan-names.ts";

const tables = (...ids: string[]) =>
  ids.map((id) => ({ source: id.split(".")[0]!, name: id.split(".")[1]! }));
const names = (plan: ReturnType<typeof planNames>) => Object.fromEntries(plan.viewNames);
const owner = (id: string, viewName: string) => ({ ...tables(id)[0]!, viewName });

test("planNames() assigns each table its own name if all differ", () => {
  const plan = planNames(tables("a.x", "b.y"), null);
  expect(names(plan)).toEqual({ "a.x": "x", "b.y": "y" });
  expect(plan.conflicts).toEqual([]);
});

test("planNames() assigns a contested name to its owner in the registry, independent of the order", () => {
  const plan = planNames(tables("a.x", "b.x"), [owner("b.x", "x")]);
  expect(names(plan)).toEqual({ "b.x": "x" });
  expect(plan.conflicts).toMatchObject([{ viewName: "x", owner: "b.x", loser: "a.x" }]);
});

test("planNames() reserves a name for its owner while the owner is unreadable", () => {
  const plan = planNames(tables("a.x"), [owner("b.x", "x")]);
  expect(names(plan)).toEqual({});
  expect(plan.conflicts).toMatchObject([{ owner: "b.x", loser: "a.x" }]);
});

test("planNames() applies a rename and releases the old name", () => {
  const plan = planNames(tables("a.x", "b.x"), [owner("b.x", "renamed"), owner("a.x", "x")]);
  expect(names(plan)).toEqual({ "b.x": "renamed", "a.x": "x" });
  expect(plan.conflicts).toEqual([]);
});

test("planNames() compares names case-insensitively", () => {
  const plan = planNames(tables("a.Orders", "b.orders"), null);
  expect(names(plan)).toEqual({ "a.Orders": "Orders" });
  expect(plan.conflicts).toMatchObject([{ viewName: "orders", owner: "a.Orders", loser: "b.orders" }]);
});

test("planNames() returns the same plan for every order of its input", () => {
  const ids = ["a.x", "b.x", "c.x", "c.y", "b.y", "d.z"];
  const owners = [owner("c.x", "x"), owner("b.y", "z")];
  const expected = planNames(tables(...ids), owners);
  for (let turn = 0; turn < ids.length; turn += 1) {
    const turned = [...ids.slice(turn), ...ids.slice(0, turn)].reverse();
    const plan = planNames(tables(...turned), [...owners].reverse());
    expect(names(plan)).toEqual(names(expected));
    expect(plan.conflicts).toEqual(expected.conflicts);
  }
});
