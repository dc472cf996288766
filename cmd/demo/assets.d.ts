/** A file embedded in the executable. The import returns its path. */
declare module "*.csv" {
  const path: string;
  export default path;
}
declare module "*.csv.gz" {
  const path: string;
  export default path;
}
