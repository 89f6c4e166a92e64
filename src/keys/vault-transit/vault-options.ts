/** How the gateway logs in to Vault or OpenBao. `mount` is the path of the login method, without `auth/`. */
export type VaultAuth =
  | { readonly method: 'token'; readonly token?: string; readonly tokenFile?: string }
  | {
      readonly method: 'approle';
      readonly mount: string;
      readonly roleId: string;
      readonly secretId?: string;
      readonly secretIdFile?: string;
    }
  | { readonly method: 'kubernetes'; readonly mount: string; readonly role: string; readonly tokenFile: string }
  | { readonly method: 'cert'; readonly mount: string; readonly role?: string };

/** PEM texts for connections to Vault: a private CA, and the certificate that the gateway shows. */
export interface VaultTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** Where a Transit key is, and how to get at it. */
export interface VaultTransitOptions {
  /** Name under `keys:` of the configuration. */
  readonly name: string;
  /** `http://` or `https://`, host and port. */
  readonly address: string;
  /** Path of the Transit engine. */
  readonly mount: string;
  /** Name of the key in that engine. */
  readonly key: string;
  readonly namespace?: string;
  readonly auth: VaultAuth;
  readonly tls?: VaultTls;
  /** Longest wait for one answer; a call with all its tries ends after twice that time. */
  readonly timeoutMs: number;
  /** Further tries of a call that got no answer. */
  readonly retries: number;
}
