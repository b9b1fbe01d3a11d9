/**
 * The provider that sends nothing: it keeps what it would have sent, for a system without a real provider and for people to look at.
 */
import type { Pool } from 'pg';
import { sqlFile } from '../../../kit/src/index.ts';
import type { Provider } from './provider.ts';

const STORE_SEND = { name: 'store-send', text: sqlFile(import.meta.url, '../../sql/store-send.sql') };

export function storeProvider(pool: Pool): Provider {
  return {
    async send({ id, channel, to, text }) {
      try {
        await pool.query({ ...STORE_SEND, values: [id, channel, to, text] });
        return { kind: 'sent' };
      } catch {
        return { kind: 'failed', reason: 'it could not be stored: the database does not answer' };
      }
    },
    close: async () => undefined,
  };
}
