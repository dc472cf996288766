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
  maxWebhookBytes: v.optional(
    v.pipe(
      v.number(),
      v.integer(),
      v.minValue(1024),
      v.description("Maximum size of a pushed request, in bytes"),
    ),
    5_242_880,
  ),
  publicMetrics: v.optional(
    v.pipe(v.boolean(), v.description("Whether `/metrics` needs no token; default: administrators only")),
    false,
  ),
});

/** `server:` of `agnes.yaml`, checked, with its defaults. */
export type ServerConfig = v.InferOutput<typeof serverConfig>;
