/** A file that the executable carries; the import gives the path to read it from. */
declare module "*.csv" {
  const path: string;
  export default path;
}
declare module "*.csv.gz" {
  const path: string;
  export default path;
}
