/**
 * Counts what a client asks of Postgres, from the bytes of one connection (protocol 3, without TLS).
 *
 * A round trip begins when something is asked while no answer is outstanding: statements that travel together are one, however many
 * they are. A database transaction ends whenever the server says that the session is in none any more.
 */
const SSL_REQUEST = 80_877_103;
const [QUERY, EXECUTE, SYNC, READY] = ['Q', 'E', 'S', 'Z'];
const NO_TRANSACTION = 'I';

export interface PostgresCounts {
  roundTrips: number;
  statements: number;
  transactions: number;
}

/** Cuts a stream into messages of a type byte and a length that counts itself. */
class Messages {
  #rest = Buffer.alloc(0);

  *take(bytes: Buffer, typed: () => boolean): Generator<{ readonly type: string; readonly body: Buffer }> {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const head = typed() ? 1 : 0;
      if (this.#rest.length < head + 4) return;
      const end = head + this.#rest.readUInt32BE(head);
      if (this.#rest.length < end) return;
      const type = head === 0 ? '' : String.fromCharCode(this.#rest[0] ?? 0);
      const body = this.#rest.subarray(head + 4, end);
      this.#rest = this.#rest.subarray(end);
      yield { type, body };
    }
  }
}

export class PostgresWire {
  readonly #counts: (database: string) => PostgresCounts;
  readonly #asked = new Messages();
  readonly #answered = new Messages();
  #database: string | undefined;
  #outstanding = 0;

  /** `counts` are those of a database; the connection says which it wants in its first message. */
  constructor(counts: (database: string) => PostgresCounts) {
    this.#counts = counts;
  }

  fromClient(bytes: Buffer): void {
    for (const { type, body } of this.#asked.take(bytes, () => this.#database !== undefined)) {
      if (this.#database === undefined) {
        if (body.readUInt32BE(0) === SSL_REQUEST) throw new Error('connections must be without TLS to be counted');
        this.#database = databaseOf(body);
        this.#outstanding = 1; // The login is answered by the first READY.
        continue;
      }
      const counts = this.#counts(this.#database);
      if (type === QUERY || type === EXECUTE) counts.statements += 1;
      if (type !== QUERY && type !== SYNC) continue;
      if (this.#outstanding === 0) counts.roundTrips += 1;
      this.#outstanding += 1;
    }
  }

  fromServer(bytes: Buffer): void {
    for (const { type, body } of this.#answered.take(bytes, () => true)) {
      if (type !== READY) continue;
      this.#outstanding -= 1;
      const ended = body.toString('latin1') === NO_TRANSACTION;
      if (ended && this.#database !== undefined) this.#counts(this.#database).transactions += 1;
    }
  }
}

/** The startup message: a version, then names and values, each ended by a zero byte. */
function databaseOf(body: Buffer): string {
  const words = body.subarray(4).toString('utf8').split('\0');
  const at = words.findIndex((word, index) => index % 2 === 0 && word === 'database');
  return (at === -1 ? undefined : words[at + 1]) ?? '';
}
