import { describe, expect, test } from "bun:test";

import * as v from "valibot";

import { columnsOf } from "../../plugins/keboola/tables/columns.ts";
import { describeTable } from "../../plugins/keboola/tables/discover.ts";
import { kindOf } from "../../plugins/keboola/tables/kinds.ts";
import {
  bucketSchema,
  fileSchema,
  jobSchema,
  tableSchema,
  tokenSchema,
} from "../../plugins/keboola/api/schemas.ts";
import { isReadOnly, jobsAtOnce } from "../../plugins/keboola/api/token.ts";

/** Facts of recorded responses and of the blueprint of the vendor, with the types they have there. */
describe("schemas accept what the vendor returns", () => {
  test("a token, with the id of its project as number or text, and maps that are lists when empty", () => {
    const limits = { "storage.jobsParallelism": { name: "storage.jobsParallelism", value: 10 } };
    const owner = { id: 8625, name: "Test Project", region: "us-east-1", isDisabled: false, limits };
    const token = v.parse(tokenSchema, {
      id: "373115",
      expires: null,
      isExpired: false,
      bucketPermissions: { "out.c-test2": "manage" },
      owner,
    });
    expect(token.owner.id).toBe("8625");
    expect(jobsAtOnce(token)).toBe(10);
    const empty = v.parse(tokenSchema, { id: 44, bucketPermissions: [], owner: { id: "58", limits: [] } });
    expect(empty.bucketPermissions?.size).toBe(0);
    // What a response lacks is no denial.
    expect(isReadOnly(empty, "in.c-main")).toBe(false);
    const lists = [{}, { bucketPermissions: null }, { bucketPermissions: { "in.c-other": "read" } }];
    for (const list of [...lists, { bucketPermissions: { "in.c-main": "share" } }])
      expect(isReadOnly(v.parse(tokenSchema, { id: 44, ...list, owner: { id: "58" } }), "in.c-main")).toBe(
        false,
      );
    expect(jobsAtOnce(empty)).toBe(2);
  });

  test("tables of an older stack, without what came later", () => {
    const table = v.parse(tableSchema, {
      id: "in.c-main.data",
      name: "data",
      transactional: false,
      primaryKey: [],
      lastImportDate: "2016-07-07T11:25:32+0200",
      lastChangeDate: "2016-07-07T11:25:34+0200",
      rowsCount: 18,
      dataSizeBytes: 12288,
      isAlias: false,
      attributes: [],
      columns: ["id"],
      bucket: { id: "in.c-main", stage: "in", backend: "snowflake", isReadOnly: false, sharing: null },
    });
    expect(kindOf(table)).toBe("table");
    expect(columnsOf(table)).toEqual([
      { name: "id", type: "VARCHAR", nativeType: "STRING", nullable: false },
    ]);
  });

  test("a table of the blueprint, whose lengths are numbers", () => {
    const definition = { type: "VARCHAR", nullable: false, length: 16777216 };
    const table = v.parse(tableSchema, {
      id: "in.c-application-testing.cashier-data",
      name: "cashier-data",
      isAlias: false,
      isTyped: true,
      tableType: "table",
      timestampType: "MANAGED",
      columns: ["visit_id"],
      columnMetadata: [],
      metadata: [],
      definition: {
        primaryKeysNames: [],
        columns: [{ name: "visit_id", definition, basetype: "STRING", canBeFiltered: true }],
        timePartitioning: { type: "DAY", expirationMs: 7776000000, field: "visit_id" },
        clustering: { fields: ["visit_id"] },
        requirePartitionFilter: false,
      },
    });
    expect(columnsOf(table)[0]).toMatchObject({ nativeType: "VARCHAR(16777216)", nullable: false });
  });

  test("an alias of another project, described by the metadata of its source", () => {
    const entry = { id: "207947778", key: "KBC.datatype.basetype", value: "INTEGER", provider: "user" };
    const table = v.parse(tableSchema, {
      id: "in.c-application-testing.cashier-data-alias",
      name: "cashier-data-alias",
      isAlias: true,
      rowsCount: null,
      dataSizeBytes: null,
      sourceTable: {
        id: "in.c-application-testing.cashier-data",
        isAlias: false,
        project: { id: 578, name: "Some source project" },
        columnMetadata: { number_of_items: [entry] },
      },
      aliasColumnsAutoSync: true,
      aliasFilter: [],
      columns: ["number_of_items"],
      columnMetadata: [],
    });
    const settings = { attach: false, branch: undefined, remoteMaxBytes: null };
    const context = { url: "https://connection.keboola.com", projectId: "8625", settings };
    const info = describeTable({ table, branch: undefined }, context);
    expect(String(info.schema.fields[0]!.type)).toBe("Int64");
    expect(info.sourceMetadata).toMatchObject({ kind: "alias", sourceProject: "578" });
    expect(info.sourceMetadata).not.toHaveProperty("aliasFilter");
  });

  test("buckets, jobs and files", () => {
    expect(v.parse(bucketSchema, { id: "in.c-ga", backend: "mysql" })).toMatchObject({ id: "in.c-ga" });
    const waiting = { id: 22077337, status: "waiting", tableId: null, results: null, runId: null };
    expect(v.parse(jobSchema, waiting)).toMatchObject({ id: "22077337", results: null });
    const failed = { ...waiting, status: "error", error: { code: "x", message: "no", exceptionId: "e" } };
    expect(v.parse(jobSchema, failed).error).toMatchObject({ message: "no" });
    // Other jobs have other results.
    expect(v.parse(jobSchema, { ...waiting, results: [] }).results?.file).toBeUndefined();
    const file = v.parse(fileSchema, {
      id: 236504177,
      isSliced: false,
      url: "https://s3.amazonaws.com/kbc-sapi-files/a?X-Amz-Signature=d76",
      region: "us-east-1",
      sizeBytes: 133,
      s3Path: { bucket: "kbc-sapi-files", key: "a" },
      credentials: {
        AccessKeyId: "ASI",
        SecretAccessKey: "gIT",
        SessionToken: "Ago",
        Expiration: "2017-02-14T22:10:17+00:00",
      },
    });
    expect(file.id).toBe("236504177");
  });
});
