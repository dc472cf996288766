/** What the transport knows of a request. */
export interface RequestInfo {
  /** The address of the client. Default: unknown. */
  readonly address?: string | undefined;
  /**
   * The values of the header Host that the server allows, besides that of `server.publicUrl`, such as `127.0.0.1:8080`, in
   * lower case. Default: without a `server.publicUrl`, Host and Origin are not checked.
   */
  readonly hosts?: readonly string[];
  /**
   * Called when the client is signed in and its body was read, so that a timeout of the transport for slow clients no longer
   * has to apply. Not called for public routes.
   */
  readonly onReady?: () => void;
}
