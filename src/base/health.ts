/** What a dependency says of itself for `/ready`: `reason` names the cause when `ok` is false. */
export interface Health {
  readonly ok: boolean;
  readonly reason?: string;
  /** It gives no answer, rather than one that says no. */
  readonly isAway?: boolean;
}
