/**
 * Counts the commands a client sends to Redis, by name, from the bytes of one connection: each is an array of bulk strings (RESP).
 */
export type RedisCounts = Map<string, number>;

export class RedisWire {
  readonly #counts: RedisCounts;
  #rest = Buffer.alloc(0);

  constructor(counts: RedisCounts) {
    this.#counts = counts;
  }

  fromClient(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const command = readCommand(this.#rest);
      if (command === undefined) return;
      this.#rest = this.#rest.subarray(command.end);
      this.#counts.set(command.name, (this.#counts.get(command.name) ?? 0) + 1);
    }
  }
}

/** Undefined where it has not come whole. */
function readCommand(bytes: Buffer): { readonly name: string; readonly end: number } | undefined {
  const count = readLength(bytes, 0, '*');
  if (count === undefined) return undefined;
  let at = count.end;
  let name = '';
  for (let index = 0; index < count.value; index += 1) {
    const length = readLength(bytes, at, '$');
    if (length === undefined || bytes.length < length.end + length.value + 2) return undefined;
    if (index === 0) name = bytes.toString('latin1', length.end, length.end + length.value).toUpperCase();
    at = length.end + length.value + 2;
  }
  return { name, end: at };
}

function readLength(bytes: Buffer, at: number, kind: '*' | '$') {
  const end = bytes.indexOf('\r\n', at);
  if (end === -1) return undefined;
  const text = bytes.toString('latin1', at, end);
  if (!text.startsWith(kind)) throw new Error(`not a command as clients send them: ${text.slice(0, 40)}`);
  return { value: Number(text.slice(1)), end: end + 2 };
}
