/**
 * Hears of people's acts and tells them once each; and hears of transactions that were given up and then deleted.
 *
 * It looks at what this replica owns, and remembers of it only what people have touched. A replica that takes over begins as after a
 * restart (transaction/acts.ts).
 */
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { actsOf, isGivenUp, type Act, type Seen } from '../transaction/acts.ts';
import type { Key, Ownership } from './ports.ts';

export interface ActsPorts {
  readonly ownership: Ownership;
  /** Once per act and process. Telling it again, also by another process, must change nothing. */
  tell(transaction: OrderTransaction, act: Act): void;
  /** A transaction that was given up is not heard of any more: deleted, or it has ended all the same. */
  gone(transaction: OrderTransaction): void;
}

interface Touched {
  readonly uid: string | undefined;
  readonly seen: Seen;
  /** Its last copy, where it is given up. */
  readonly givenUp: OrderTransaction | undefined;
}

export class PeoplesActs {
  readonly #ports: ActsPorts;
  readonly #touched = new Map<Key, Touched>();

  constructor(ports: ActsPorts) {
    this.#ports = ports;
  }

  /** @param transaction as it is now; undefined when it is gone */
  heard(key: Key, transaction: OrderTransaction | undefined): void {
    const known = this.#touched.get(key);
    const isSame = known !== undefined && known.uid === transaction?.metadata.uid;
    if (known !== undefined && !isSame) this.#forget(key, known);
    if (transaction === undefined) return;
    if (!this.#ports.ownership.owns(transaction)) {
      this.#touched.delete(key);
      return;
    }
    const { fresh, seen } = actsOf(transaction, isSame ? known.seen : undefined);
    if (seen !== undefined) {
      const givenUp = isGivenUp(transaction) ? transaction : undefined;
      this.#touched.set(key, { uid: transaction.metadata.uid, seen, givenUp });
    }
    for (const act of fresh) this.#ports.tell(transaction, act);
  }

  /** How many transactions people have touched, of those that are there. */
  get touched(): number {
    return this.#touched.size;
  }

  #forget(key: Key, { givenUp }: Touched): void {
    this.#touched.delete(key);
    if (givenUp !== undefined && this.#ports.ownership.owns(givenUp)) this.#ports.gone(givenUp);
  }
}
