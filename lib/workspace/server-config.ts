import * as v from "valibot";

/** `server:` of `agnes.yaml`. */
export const serverConfig = v.strictObject({
  maxBodyBytes: v.optional(
    v.pipe(
      v.number(),
      v.integer(),
      v.minValue(1024),
      v.description("Maximum size of a request body, in bytes"),
    ),
    1_048_576,
  ),
  maxScanBytes: v.optional(
    v.pipe(
      v.number(),
      v.integer(),
      v.minValue(1024),
      v.description("Maximum size of the Arrow stream of `POST /api/v2/scan`, in bytes"),
    ),
    2_147_483_648,
  ),
});

/** `server:` of `agnes.yaml`, checked, with its defaults. */
export type ServerConfig = v.InferOutput<typeof serverConfig>;
