import { describe, expect, test } from "bun:test";

import { AddressCheck, type Lookup } from "../../plugins/keboola/api/address.ts";
import { settingsOf } from "../../plugins/keboola/settings.ts";
import { rejection } from "./support.ts";

const resolving = (...addresses: string[]): Lookup & { calls: number } => {
  const lookup = Object.assign(
    async () => {
      lookup.calls += 1;
      return addresses.map((address) => ({ address }));
    },
    { calls: 0 },
  );
  return lookup;
};
const STACK = "https://connection.keboola.com";

describe("AddressCheck", () => {
  test("check() accepts public addresses and resolves a host once", async () => {
    const lookup = resolving("54.230.1.2", "2600:9000:2000::1");
    const check = new AddressCheck({ allowPrivateAddress: false, lookup });
    await check.check(STACK);
    await check.check(`${STACK}/v2/storage`);
    expect(lookup.calls).toBe(1);
  });

  const refused = [
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "127.0.0.1",
    "169.254.169.254",
    "0.0.0.0",
    "100.64.0.1",
    "224.0.0.1",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fd00::1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "not an address",
  ];
  for (const address of refused) {
    test(`check() refuses a host at ${address}`, async () => {
      const check = new AddressCheck({
        allowPrivateAddress: false,
        lookup: resolving("54.230.1.2", address),
      });
      expect(await rejection(check.check(STACK))).toMatchObject({ code: "keboola/address_private" });
    });
  }

  for (const host of ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"]) {
    test(`check() refuses the host ${host} without a lookup`, async () => {
      const lookup = resolving("54.230.1.2");
      const check = new AddressCheck({ allowPrivateAddress: false, lookup });
      expect(await rejection(check.check(`https://${host}/`))).toMatchObject({
        code: "keboola/address_private",
      });
      expect(lookup.calls).toBe(0);
    });
  }

  test("check() accepts the clouds that hold files at private addresses too", async () => {
    const check = new AddressCheck({ allowPrivateAddress: false, lookup: resolving("10.0.0.1") });
    const hosts = ["storage.googleapis.com", "kbc.s3.eu-west-1.amazonaws.com", "kbc.blob.core.windows.net"];
    for (const host of hosts) await check.check(`https://${host}/a`);
    for (const host of ["amazonaws.com.test", "a.blob.core.windows.net.test", "xstorage.googleapis.com"])
      expect(await rejection(check.check(`https://${host}/`))).toMatchObject({
        code: "keboola/address_private",
      });
  });

  test("check() refuses plain HTTP", async () => {
    const check = new AddressCheck({ allowPrivateAddress: false, lookup: resolving("54.230.1.2") });
    expect(await rejection(check.check("http://connection.keboola.com"))).toMatchObject({
      code: "keboola/stack_invalid",
    });
  });

  test("check() repeats a lookup that failed", async () => {
    let calls = 0;
    const lookup: Lookup = async () => {
      calls += 1;
      if (calls === 1) throw Object.assign(new Error("no"), { code: "ENOTFOUND" });
      return [{ address: "54.230.1.2" }];
    };
    const check = new AddressCheck({ allowPrivateAddress: false, lookup });
    const error = await rejection(check.check(STACK));
    expect(error).toMatchObject({ code: "keboola/address_unknown", retry: "transient" });
    expect(error.message).toContain("ENOTFOUND");
    await check.check(STACK);
  });

  test("check() accepts any address if the options allow it", async () => {
    const lookup = resolving("10.0.0.1");
    const check = new AddressCheck({ allowPrivateAddress: true, lookup });
    await check.check("http://localhost:8080");
    expect(lookup.calls).toBe(0);
  });
});

describe("settingsOf()", () => {
  const options = {
    changeMarginMinutes: 60,
    remoteMaxBytes: null,
    attach: false,
    write: false,
    allowPrivateAddress: false,
  };

  test("removes trailing slashes from the URL", () => {
    expect(settingsOf({ ...options, url: `${STACK}//` }, {}).url).toBe(STACK);
  });

  test("takes the stack and the project from the environment if they are not set", () => {
    const environment = { KEBOOLA_STACK_URL: `${STACK}/`, KEBOOLA_PROJECT_ID: "8625" };
    expect(settingsOf(options, environment)).toMatchObject({ url: STACK, projectId: "8625" });
    const set = { ...options, url: "https://other.keboola.com", projectId: "1" };
    expect(settingsOf(set, environment)).toMatchObject({ url: "https://other.keboola.com", projectId: "1" });
  });

  test("refuses a missing stack and one that is not an address alone", () => {
    expect(() => settingsOf(options, { KEBOOLA_STACK_URL: " " })).toThrow("is not set");
    const bad = [
      "http://connection.keboola.com",
      "https://user:secret@connection.keboola.com",
      `${STACK}/admin/projects/8625`,
      `${STACK}/?token=secret`,
    ];
    for (const url of bad) expect(() => settingsOf({ ...options, url }, {})).toThrow("is not valid");
    expect(settingsOf({ ...options, url: "http://localhost:80", allowPrivateAddress: true }, {}).url).toBe(
      "http://localhost",
    );
  });

  test("repeats no secret in its errors", () => {
    const url = "https://user:sekret99@connection.keboola.com";
    expect(() => settingsOf({ ...options, url }, {})).not.toThrow("sekret99");
  });
});
