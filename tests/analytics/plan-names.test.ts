import { expect, test } from "bun:test";

import { planNames } from "../../lib/analytics/views/plan-names.ts";

const tables = (...ids: string[]) =>
  ids.map((id) => ({ source: id.split(".")[0]!, name: id.split(".")[1]! }));
const names = (plan: ReturnType<typeof planNames>) => Object.fromEntries(plan.viewNames);
const owner = (id: string, viewName: string) => ({ ...tables(id)[0]!, viewName });

test("planNames() gives each table its own name when all differ", () => {
  const plan = planNames(tables("a.x", "b.y"), null);
  expect(names(plan)).toEqual({ "a.x": "x", "b.y": "y" });
  expect(plan.conflicts).toEqual([]);
});

test("planNames() gives a contested name to the registry's owner, whatever the order", () => {
  const plan = planNames(tables("a.x", "b.x"), [owner("b.x", "x")]);
  expect(names(plan)).toEqual({ "b.x": "x" });
  expect(plan.conflicts).toMatchObject([{ viewName: "x", owner: "b.x", loser: "a.x" }]);
});

test("planNames() keeps a name for its owner while the owner cannot be read", () => {
  const plan = planNames(tables("a.x"), [owner("b.x", "x")]);
  expect(names(plan)).toEqual({});
  expect(plan.conflicts).toMatchObject([{ owner: "b.x", loser: "a.x" }]);
});

test("planNames() follows a rename, and the old name is free", () => {
  const plan = planNames(tables("a.x", "b.x"), [owner("b.x", "renamed"), owner("a.x", "x")]);
  expect(names(plan)).toEqual({ "b.x": "renamed", "a.x": "x" });
  expect(plan.conflicts).toEqual([]);
});

test("planNames() does not tell names apart by case", () => {
  const plan = planNames(tables("a.Orders", "b.orders"), null);
  expect(names(plan)).toEqual({ "a.Orders": "Orders" });
  expect(plan.conflicts).toMatchObject([{ viewName: "orders", owner: "a.Orders", loser: "b.orders" }]);
});

test("planNames() gives the same plan for every order of what it is given", () => {
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
