/** Version of the gateway, for logs and metrics. */
export const version = '0.1.0';
