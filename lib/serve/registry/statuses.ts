/** The statuses of the errors of reading the registry. */
export const registryStatuses: readonly number[] = [404, 503];

/** The statuses of the errors of changing the registry. */
export const changeStatuses: readonly number[] = [400, 404, 409, 412, 503, 507];

/** The statuses of the errors of calling a source. */
export const sourceStatuses: readonly number[] = [
  400, 401, 403, 404, 408, 409, 412, 413, 429, 499, 501, 502, 503, 504, 507,
];
