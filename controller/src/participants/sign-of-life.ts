/**
 * What an exchange says of the participant itself, whatever it means for the transaction.
 */
import type { Exchange } from './exchange.ts';
import { broken } from './no-answer.ts';

/**
 * Any 2xx, 409 and 425 is a sign of life; every other answer and none is a failure. `nothing` where the end was ours: the
 * controller stops, or has no port left.
 */
export function signOfLife(result: Exchange): 'alive' | 'failed' | 'nothing' {
  switch (result.kind) {
    case 'answered': {
      const { status } = result.answer;
      return (status >= 200 && status <= 299) || status === 409 || status === 425 ? 'alive' : 'failed';
    }
    case 'timedOut':
      return 'failed';
    case 'broken':
      return broken(result.error).kind === 'unsent' ? 'nothing' : 'failed';
    case 'aborted':
      return 'nothing';
  }
}
