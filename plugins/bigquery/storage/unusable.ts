/** A table that the Storage Read API does not read, so that a query job reads it. */
export class StorageUnusable extends Error {}
