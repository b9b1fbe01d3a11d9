/**
 * As much of psql as a file for it needs here: variables, `\set`, `\connect` and `\gexec`. What it does not know it refuses.
 */
import pg from 'pg';

/** Runs the text as whoever `url` names, and stops at the first error. */
export async function runPsql(url: string, text: string, given: Readonly<Record<string, string>>): Promise<void> {
  const variables = new Map(Object.entries(given));
  let client = await connected(url);
  let statement = '';
  try {
    for (const line of text.split('\n')) {
      const [, command, rest = ''] = /^\\(\w+) ?(.*)$/.exec(line) ?? [];
      if (command === 'set') {
        const [name = '', ...parts] = rest.split(' ');
        variables.set(name, parts.map((part) => put(part, variables)).join(''));
      } else if (command === 'connect') {
        await client.end();
        const to = new URL(url);
        to.pathname = `/${unquoted(put(rest, variables))}`;
        client = await connected(to.href);
      } else if (command === 'gexec') {
        const { rows } = await client.query<Record<string, string>>(put(statement, variables));
        statement = '';
        for (const generated of rows.flatMap((row) => Object.values(row))) await client.query(generated);
      } else if (command !== undefined) {
        throw new Error(`psql's \\${command} is not known here`);
      } else if (!line.startsWith('--')) {
        statement += `${line}\n`;
        if (!/;\s*$/.test(line)) continue;
        await client.query(put(statement, variables));
        statement = '';
      }
    }
    if (statement.trim() !== '') throw new Error(`a statement has no end: ${statement}`);
  } finally {
    await client.end();
  }
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined); // The statement that fails says it.
  await client.connect();
  return client;
}

/** `:name`, `:'name'` as a literal, `:"name"` as an identifier. */
function put(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replaceAll(/(?<!:):(?:(\w+)|'(\w+)'|"(\w+)")/g, (_, bare?: string, literal?: string, name?: string) => {
    const value = variables.get(bare ?? literal ?? name ?? '');
    if (value === undefined) throw new Error(`psql has no variable ${bare ?? literal ?? name}`);
    if (literal !== undefined) return pg.escapeLiteral(value);
    return name === undefined ? value : pg.escapeIdentifier(value);
  });
}

function unquoted(identifier: string): string {
  return identifier.replaceAll(/^"|"$/g, '').replaceAll('""', '"');
}
