/**
 * What a controller knows beyond the stored object, in sentences.
 */
import type { Heard, Looked } from './controller-ports.ts';
import { whenIs } from './deadline.ts';
import type { Session } from './session.ts';

export interface LookSentences {
  /** Whether the controller that works on it has said what it does: then the stored copy says less. */
  readonly isKnown: boolean;
  readonly sentences: readonly string[];
}

const UNNAMED =
  'by the stored copy, which may be a minute old; what is under way, waits for room or was asked since the controller started only its port knows: name it with --controller or ORDERTX_CONTROLLER_URL';

export async function describeLook(session: Session, namespace: string, name: string): Promise<LookSentences> {
  if (!session.controllers.areNamed) return { isKnown: false, sentences: [`(${UNNAMED})`] };
  const heard = await session.controllers.look(namespace, name);
  return {
    isKnown: heard.some((each) => each.kind === 'heard' && each.body.kind === 'worked-on'),
    sentences: heard.flatMap((each) => sentencesOf(each, session.now())),
  };
}

function sentencesOf(heard: Heard<Looked>, nowMs: number): readonly string[] {
  if (heard.kind === 'unreachable') return [`the controller at ${heard.where} cannot be asked: ${heard.message}`];
  const { body, where } = heard;
  switch (body.kind) {
    case 'absent':
      return [`the controller at ${where} (${body.replica}) does not see it: does it watch this namespace?`];
    case 'not-ours':
      return [`the controller at ${where} (${body.replica}) leaves it to another replica`];
    case 'idle':
      return [`the controller at ${where} (${body.replica}) has done nothing for it since it started`];
    case 'worked-on':
      return [`the controller ${body.replica} says:`, ...workSentences(body, nowMs).map((sentence) => `  ${sentence}`)];
  }
}

function workSentences(look: Extract<Looked, { kind: 'worked-on' }>, nowMs: number): readonly string[] {
  const said = (names: readonly string[], sentence: string): readonly string[] =>
    names.length > 0 ? [`${sentence}: ${names.join(', ')}`] : [];
  const errors = [...look.branches, ...look.messages]
    .filter(({ lastError }) => lastError !== undefined)
    .map(({ name, attempts = 0, lastError = '', nextAttemptTime }) => {
      const again = nextAttemptTime === undefined ? '' : `; again at ${nextAttemptTime}`;
      return `${name}: ${attempts} attempts so far, last: ${lastError}${again}`;
    });
  return [
    ...(look.mustRead ? ['it reads the stored copy before it does anything else'] : []),
    ...(look.apiFailures > 0 ? [`the API server has not taken ${look.apiFailures} of its requests in a row`] : []),
    ...said(look.underWay, 'under way'),
    ...said(
      look.waitingForRoom.map(({ branch, operation }) => `${operation} at ${branch}`),
      'waiting for room to be sent',
    ),
    ...said(look.answersNobody, 'answers nobody, so it is asked by turns once a second'),
    ...said(look.requested, 'asked for by a person and about to be called'),
    ...said(look.atTheirConsumer, 'still with its consumer'),
    ...said(look.asked, 'tried since it started'),
    ...(look.brokerAway === undefined ? [] : [look.brokerAway]),
    ...errors,
    ...nextSentences(look.next, nowMs),
  ];
}

function nextSentences(next: Extract<Looked, { kind: 'worked-on' }>['next'], nowMs: number): readonly string[] {
  switch (next.kind) {
    case 'rest':
      return ['nothing is left to do'];
    case 'read-flow':
      return ['it asks the API server for the flow'];
    case 'store':
      return next.why === 'news' ? [] : [`it stores its ${next.why}: ${next.decision ?? ''} ${next.phase ?? ''}`];
    case 'act':
      return [
        ...next.calls.map(({ branch, operation, attempt }) => `next: ${operation} at ${branch} (attempt ${attempt})`),
        ...next.publications.map(({ message, attempt }) => `next: publishes ${message} (publication ${attempt})`),
        ...(next.wakeAt === undefined
          ? []
          : [`it looks again ${whenIs(Date.parse(next.wakeAt), nowMs)} at the latest`]),
      ];
  }
}
