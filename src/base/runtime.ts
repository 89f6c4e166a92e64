/** Whether this runs on Bun, whose sockets and streams are its own work under Node's names. */
export const isBun = process.versions['bun'] !== undefined;
