/**
 * URLs of the servers that a process logs in to, with user and password, as settings have them.
 *
 * A password with a # or a / that is not percent-encoded makes another URL of them, or none. That is told by the setting's name, and not by
 * a client in the middle of a start, which knows no settings and may look for a host that has the end of the password for its name.
 */
import { z } from 'zod';

const MESSAGE =
  'is no URL of a server: what is special in a user or a password has to be percent-encoded, # as %23, / as %2F, ? as %3F, @ as %40, % as %25';

/** A URL of this kind, and one that says a host. What does not begin so has been told so. */
const written = (beginning: RegExp, isWell: (url: URL) => boolean) => (text: string) => {
  if (!beginning.test(text)) return true;
  // Of a Postgres behind a socket the folder is a parameter, and there is no host.
  const url = URL.parse(text.replace('@/', '@host/'));
  return url !== null && url.hash === '' && !url.pathname.includes('@') && isWell(url);
};

const POSTGRES = /^postgres(ql)?:\/\//;
export const postgresUrl = z
  .string()
  .regex(POSTGRES, 'must start with postgres://')
  .refine(
    written(POSTGRES, () => true),
    MESSAGE,
  );

const REDIS = /^rediss?:\/\/./;
export const redisUrl = z
  .string()
  .regex(REDIS, 'must be a URL that begins with redis:// or rediss://')
  .refine(
    written(REDIS, ({ username, password }) => isEncoded(username) && isEncoded(password)),
    MESSAGE,
  );

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
