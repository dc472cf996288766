/** The statuses of the errors of reading a table. */
export const queryStatuses: readonly number[] = [400, 404, 408, 409, 413, 429, 499, 501, 502, 503, 504, 507];
