import type { Host } from "agnes";
import type { RouteFault } from "agnes/testing";

import type { AzuriteBlobs } from "../azurite-blobs.ts";

/** What a request asks for; faults are scripted by it. */
export type KeboolaStep =
  | "index"
  | "verify"
  | "branches"
  | "buckets"
  | "bucket"
  | "tables"
  | "bucket tables"
  | "table"
  | "preview"
  | "export"
  | "job"
  | "file"
  | "manifest"
  | "slice"
  | "metadata"
  | "prepare"
  | "upload"
  | "import"
  /** A request that the API does not know. */
  | "unknown";

/** A fault of one request. */
export type KeboolaFault =
  | RouteFault
  /** The connection drops after this part of the body, such as 0.3. */
  | { readonly kind: "cut part"; readonly part: number }
  /** The body ends without an error after all but `missingBytes` bytes, against its Content-Length. */
  | { readonly kind: "wrong length"; readonly missingBytes: number }
  /** 503 as during maintenance. Default: 559 seconds. */
  | { readonly kind: "maintenance"; readonly retryAfterSeconds?: number }
  /** The request is carried out, and its response is lost. */
  | { readonly kind: "lost response" }
  /** The job that is polled ends with an error. */
  | { readonly kind: "job error"; readonly message?: string; readonly code?: string }
  /** The job that is polled does not exist any more. */
  | { readonly kind: "job lost" };

/** A request that the fake received. */
export interface KeboolaRequest {
  readonly method: string;
  readonly url: string;
  readonly host: string;
  readonly headers: Headers;
  readonly step: KeboolaStep;
  /** Whether it carried the storage token. */
  readonly hasToken: boolean;
  /** As text. */
  readonly body: string;
}

/** Where files are kept. `https`: links that are signed already, without credentials. */
export type FileProvider = "aws" | "azure" | "gcp" | "https";

/** How the project, the stack and its clouds behave. */
export interface KeboolaScript {
  /** Default: the real clock; see also `FakeKeboola.host`. */
  readonly clock?: Pick<Host, "now">;
  /** Default: 1. */
  readonly seed?: number;
  /** A number in recorded responses, a string in the blueprint. Default: 8625. */
  readonly projectId?: number | string;
  /** Default: `snowflake`. */
  readonly backend?: "snowflake" | "bigquery";
  /**
   * `recorded`: without the fields that recorded responses of earlier stacks lack, such as `isTyped`, and the `provider` of a
   * file. Default: `documented`.
   */
  readonly answers?: "documented" | "recorded";
  /** Default: `https`. */
  readonly provider?: FileProvider;
  /** The blob service for `azure`. Default: one in memory at its public address. */
  readonly azurite?: AzuriteBlobs;
  /** The scheme of slices in a manifest of `azure`. Default: `azure`. */
  readonly azureScheme?: "azure" | "https";
  /** The number of storage jobs that run at once. Default: 10. */
  readonly jobsParallelism?: number;
  /** The number of polls that find a job running before one finds its end. Default: 1. */
  readonly jobPolls?: number;
  /** The time after which a job ends that nobody polls. Default: a minute. */
  readonly jobDurationMs?: number;
  /** The address at which a job is polled. Default: `/v2/storage/jobs/<id>` of the stack. */
  readonly jobUrl?: (id: number) => string;
  /** Default: `true`. */
  readonly isSliced?: boolean;
  /** The rows of a slice. Default: 40. */
  readonly sliceRows?: number;
  /** Rewrites the address of a slice in a manifest, as a hostile one. Default: none. */
  readonly entryUrl?: (url: string, at: number) => string;
  /** The order of slices in a manifest; lexical is 1, 10, 2. Default: `lexical`. */
  readonly sliceOrder?: "natural" | "lexical" | "random";
  /** Which CSV files begin with the names of their columns. Default: `unsliced`. */
  readonly header?: "never" | "unsliced" | "first slice" | "each slice";
  /** Whether slices of CSV are compressed. Default: as the request asks. */
  readonly gzip?: boolean;
  /** Whether names of slices end in `.gz`, true or not. Default: those of compressed slices do. */
  readonly gzipNames?: boolean;
  /** Whether the stack exports Parquet; otherwise it refuses with 400. Default: `true`. */
  readonly parquet?: boolean;
  /** The types of columns in Parquet: all VARCHAR (Snowflake), or those of the table. Default: `text`. */
  readonly parquetTypes?: "text" | "native";
  /** Whether an unchanged table gives the earlier file for the same parameters. Default: `true`. */
  readonly cache?: boolean;
  /** Whether rows are exported in another order each time. Default: `true`. */
  readonly shuffle?: boolean;
  /** Whether `Range` works in the clouds. Default: `true`. */
  readonly ranges?: boolean;
  /** The first folder of all files, as for keys that must be encoded. Default: `exp-15`. */
  readonly keyPrefix?: string;
  /**
   * Called before each request, with the number of its step from 1; returns its fault, and may change tables or expire
   * credentials.
   */
  readonly onRequest?: RequestHook;
}

/** See `KeboolaScript.onRequest`. */
export type RequestHook = (step: KeboolaStep, n: number, request: KeboolaRequest) => KeboolaFault | undefined;
