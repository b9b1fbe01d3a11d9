/**
 * The three routes of a participant as an OpenAPI 3.1 document, for people and generators of any language.
 *
 * Built from the same names, states, codes and schemas that both ends run on. What each answer makes the controller do stands in
 * its description: docs/reference/participant-protocol.md, section 4, in the place where it is needed.
 */
import { z } from 'zod';
import { DETAIL_CHARS_MAX } from './detail.ts';
import { HEADERS } from './headers.ts';
import { DONE_STATES, FENCE_STATES, OPERATIONS, type FenceState, type Operation } from './operations.ts';
import { payloadSchemas } from './payloads.ts';
import { PROBLEM_CODES, PROBLEM_MEDIA_TYPE, problemSchema, type ProblemCode } from './problems.ts';
import { jsonText } from './schemas.ts';

type JsonObject = Readonly<Record<string, unknown>>;

/** The file's whole text, ending in a newline. */
export function renderOpenApi(): string {
  return jsonText({
    openapi: '3.1.1',
    info: {
      title: 'ordertx participant protocol',
      version: 'v1alpha1',
      summary: 'What a service that takes part in transactions serves, for each of its branches.',
      description:
        'Generated from services/protocol/src by `npm run generate`; do not edit. The contract in full, with the fence that a participant keeps, is docs/reference/participant-protocol.md; docs/participants.md shows how to write one.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [
      {
        url: '{endpoint}{path}',
        description: 'As the TransactionFlow has it.',
        variables: {
          endpoint: {
            default: 'http://127.0.0.1:8080',
            description: 'The participant’s endpoint, resolved: http://<service>.<namespace>.svc:<port>, or its url',
          },
          path: { default: '/tcc/create-order', description: 'The participant’s path' },
        },
      },
    ],
    security: [{ controllerToken: [] }],
    paths: Object.fromEntries(OPERATIONS.map((operation) => [`/${operation}`, { post: route(operation) }])),
    components: {
      parameters: Object.fromEntries(
        Object.entries(REQUEST_HEADERS).map(([key, header]) => [key, parameter(key, header)]),
      ),
      headers: ANSWER_HEADERS,
      responses: RESPONSES,
      schemas: schemas(),
      securitySchemes: {
        controllerToken: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            'A token of the controller’s service account, made for one audience: ordertx/<service>.<namespace>, or ordertx/<host>:<port> of a url. Check signature, issuer, audience, expiry and subject; the key set is at the controller’s /jwks. Absent only where the controller runs with ORDERTX_AUTH=off.',
        },
      },
    },
  });
}

interface Header {
  readonly description: string;
  readonly required: boolean;
  readonly schema: JsonObject;
  /** Without it, with every call. */
  readonly on?: readonly Operation[];
}

/** `Ordertx-State`, as people write it; `traceparent` is lower-case in its own standard. */
function written(header: keyof typeof HEADERS): string {
  return header === 'traceparent'
    ? HEADERS[header]
    : HEADERS[header].replaceAll(/(?<![a-z])[a-z]/g, (letter) => letter.toUpperCase());
}

const DNS_LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';

const REQUEST_HEADERS: Readonly<Record<Exclude<keyof typeof HEADERS, 'state' | 'retryAfter'>, Header>> = {
  transaction: {
    description: '<namespace>/<name> of the OrderTransaction. With the branch it is the key of the fence’s row.',
    required: true,
    schema: {
      type: 'string',
      pattern: `^${DNS_LABEL}/${DNS_LABEL}([.]${DNS_LABEL})*$`,
      examples: ['shop/create-o1001'],
    },
  },
  branch: {
    description: 'The participant’s name in the flow. Another’s name is 421.',
    required: true,
    schema: { type: 'string', maxLength: 63, pattern: '^[a-z]([-a-z0-9]*[a-z0-9])?$', examples: ['inventory'] },
  },
  operation: {
    description: 'The last segment of the path again. Anything else is 400.',
    required: true,
    schema: { $ref: '#/components/schemas/Operation' },
  },
  attempt: {
    description: 'Counted from 1 within the operation; for logs only, a repeated number is legal.',
    required: true,
    schema: { type: 'integer', minimum: 1 },
  },
  idempotencyKey: {
    description: '<namespace>/<name>/<branch>/<operation>: the same on every attempt.',
    required: true,
    schema: { type: 'string', examples: ['shop/create-o1001/inventory/try'] },
  },
  traceparent: {
    description: 'W3C Trace Context; a span of its own for each call.',
    required: true,
    schema: { type: 'string', examples: ['00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'] },
  },
  reason: {
    description: 'The transaction’s decisionReason.',
    required: false,
    schema: { type: 'string', enum: ['AllTried', 'Refused', 'DeadlineExceeded', 'CancelRequested'] },
    on: ['confirm', 'cancel'],
  },
  detail: {
    description: `Why, in words: percent-encoded UTF-8, at most ${DETAIL_CHARS_MAX} characters after encoding, cut at a whole character.`,
    required: false,
    schema: { type: 'string', maxLength: DETAIL_CHARS_MAX, examples: ['out%20of%20stock%3A%20tea'] },
    on: ['confirm', 'cancel'],
  },
};

function parameter(key: string, { description, required, schema }: Header): JsonObject {
  return { name: written(key as keyof typeof HEADERS), in: 'header', required, description, schema };
}

const ANSWER_HEADERS = {
  state: {
    description: `${written('state')}: what is stored of the branch after this call. Only it makes an answer the participant’s: a 2xx or 409 without it is unknown, and asked again.`,
    required: true,
    schema: { $ref: '#/components/schemas/FenceState' },
  },
  retryAfter: {
    description: 'Seconds, or an HTTP date: not to be asked again before; honoured up to the flow’s maxDelaySeconds.',
    schema: { type: 'string', examples: ['1'] },
  },
};
const STATE = { [written('state')]: { $ref: '#/components/headers/state' } };
const RETRY_AFTER = { [written('retryAfter')]: { $ref: '#/components/headers/retryAfter' } };

function problem(description: string, headers: JsonObject = {}): JsonObject {
  return {
    description,
    ...(Object.keys(headers).length === 0 ? {} : { headers }),
    content: { [PROBLEM_MEDIA_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } },
  };
}

const ASKS_AGAIN =
  'Unknown to the controller: it asks again with back-off, and people see it in waitingFor; before the decision the flow’s deadline ends the asking.';

/** Those that mean the same for every operation. */
const RESPONSES = {
  BadRequest: problem(
    `A header is missing or wrong, or the body of a try or confirm is not JSON. Nothing is stored. ${ASKS_AGAIN}`,
  ),
  Unauthorized: problem(`No token, or not a good one. Nothing is stored. ${ASKS_AGAIN}`),
  Forbidden: problem(`Transactions of this namespace are not served. Nothing is stored. ${ASKS_AGAIN}`),
  Misdirected: problem(
    `Not this service’s branch: another name in ${written('branch')}, or a branch that was tried at another path. ${ASKS_AGAIN}`,
  ),
  Later: problem(
    'Ongoing: working on it, or not yet. Nothing is stored: the next call is judged afresh. The controller asks again, not before Retry-After.',
    { ...STATE, ...RETRY_AFTER },
  ),
  ServerError: problem(
    `It is not known what happened, or the service is away. ${ASKS_AGAIN} Retry-After of a 503 is honoured.`,
    RETRY_AFTER,
  ),
};

interface Refusal {
  readonly code: ProblemCode;
  readonly state: FenceState | 'any';
  readonly means: string;
  /** In words for people. */
  readonly detail: string;
}

const MISMATCH: Refusal = {
  code: 'payload-mismatch',
  state: 'any',
  means: 'the same branch of the same transaction came with another payload before (RFC 8785 canonical JSON)',
  detail: 'This step came before with other contents; nothing was changed by this one.',
};
const REFUSED: Refusal = {
  code: 'refused',
  state: 'Refused',
  means: 'a business no, stored for good',
  detail: 'out of stock: tea (20 wanted, 8 left)',
};

const REFUSALS: Readonly<Record<Operation, readonly Refusal[]>> = {
  try: [
    REFUSED,
    {
      code: 'cancelled',
      state: 'Cancelled',
      means: 'the cancel came first: a late try reserves nothing',
      detail: 'This step was already cancelled, so nothing is reserved for it any more.',
    },
    MISMATCH,
  ],
  confirm: [
    {
      code: 'no-try',
      state: 'None',
      means: 'nothing is stored: there was no try here',
      detail: 'Nothing was reserved here for this step, so there is nothing to confirm.',
    },
    { ...REFUSED, means: 'the try was refused' },
    {
      code: 'already-cancelled',
      state: 'Cancelled',
      means: 'the branch was cancelled before',
      detail: 'This step was already cancelled, so it cannot be confirmed.',
    },
    MISMATCH,
  ],
  cancel: [
    {
      code: 'already-confirmed',
      state: 'Confirmed',
      means: 'the branch was confirmed before',
      detail: 'This step was already confirmed, so it cannot be cancelled.',
    },
  ],
};

interface Words {
  readonly summary: string;
  readonly description: string;
  readonly done: string;
  readonly refused: string;
}

const ALARM =
  'An alarm: the participants disagree with the decision. The controller marks the transaction Stuck and keeps asking.';

const WORDS: Readonly<Record<Operation, Words>> = {
  try: {
    summary: 'Check and reserve: afterwards both confirm and cancel must be possible',
    description: 'Called before the decision. Runs at most once per branch; every repeat hears the stored answer.',
    done: 'Reserved, now or before; the body is kept and replayed to every repeat. The controller goes on, and decides Confirm once every participant has said so.',
    refused:
      'Refused for good. The controller decides Cancel, and calls cancel at every participant, this one included.',
  },
  confirm: {
    summary: 'Make the reservation final',
    description: 'Called after the decision Confirm, for as long as it takes. A business no is not possible any more.',
    done: 'Final, now or before. The controller goes on.',
    refused: ALARM,
  },
  cancel: {
    summary: 'Return the reservation, or do nothing where there is none',
    description:
      'Called after the decision Cancel, at every participant, tried or not, for as long as it takes. It is done whatever its body is: broken, missing, or another payload; what was tried is what is undone. Its row keeps a late try from reserving.',
    done: 'Returned, now or before, or there was nothing to return. The controller goes on.',
    refused: ALARM,
  },
};

function route(operation: Operation): JsonObject {
  const words = WORDS[operation];
  const headers = Object.entries(REQUEST_HEADERS).filter(([, { on }]) => on?.includes(operation) ?? true);
  return {
    operationId: operation,
    summary: words.summary,
    description: words.description,
    parameters: headers.map(([key]) => ({ $ref: `#/components/parameters/${key}` })),
    requestBody: {
      description: 'The transaction’s spec.payload, the same for every participant and operation; at most 65536 bytes.',
      required: operation !== 'cancel',
      content: { 'application/json': { schema: { $ref: '#/components/schemas/Payload' } } },
    },
    responses: {
      200: done(operation),
      400: { $ref: '#/components/responses/BadRequest' },
      401: { $ref: '#/components/responses/Unauthorized' },
      403: { $ref: '#/components/responses/Forbidden' },
      409: refused(operation),
      421: { $ref: '#/components/responses/Misdirected' },
      425: { $ref: '#/components/responses/Later' },
      '5XX': { $ref: '#/components/responses/ServerError' },
    },
  };
}

function done(operation: Operation): JsonObject {
  const fitting = DONE_STATES[operation];
  return {
    description: `${WORDS[operation].done} ${written('state')} is ${fitting.join(' or ')}: a 2xx with any other state is unknown, and asked again.`,
    headers: { [written('state')]: { ...ANSWER_HEADERS.state, schema: { type: 'string', enum: fitting } } },
    content: { 'application/json': { schema: {} } },
  };
}

function refused(operation: Operation): JsonObject {
  const refusals = REFUSALS[operation];
  const list = refusals.map(({ code, state, means }) => `\`${code}\` (${written('state')} ${state}): ${means}`);
  const examples = refusals.map(({ code, detail }) => [code, { value: { title: code, status: 409, code, detail } }]);
  return {
    description: `${WORDS[operation].refused} Codes: ${list.join('; ')}.`,
    headers: STATE,
    content: {
      [PROBLEM_MEDIA_TYPE]: {
        schema: {
          allOf: [
            { $ref: '#/components/schemas/Refusal' },
            { properties: { code: { enum: refusals.map(({ code }) => code) } } },
          ],
        },
        examples: Object.fromEntries(examples) as JsonObject,
      },
    },
  };
}

function schemas(): JsonObject {
  const payloads = Object.entries(payloadSchemas).map(
    ([flow, schema]) => [payloadName(flow), jsonSchema(schema)] as const,
  );
  return {
    Operation: { type: 'string', enum: OPERATIONS },
    FenceState: {
      type: 'string',
      enum: FENCE_STATES,
      description: 'The stored state of a branch; None where nothing is stored. Confirmed and Cancelled are final.',
    },
    Payload: {
      description:
        'What the flow’s transactions carry. These are the shop’s own flows; a flow of yours has a payload of its own.',
      anyOf: payloads.map(([name]) => ({ $ref: `#/components/schemas/${name}` })),
    },
    ...Object.fromEntries(payloads),
    Problem: jsonSchema(problemSchema),
    Refusal: {
      description:
        'The body of a 409. `detail` is the same on every repeat, in words that a customer-service person understands.',
      allOf: [
        { $ref: '#/components/schemas/Problem' },
        {
          type: 'object',
          required: ['code', 'detail'],
          properties: {
            status: { const: 409 },
            code: { type: 'string', enum: PROBLEM_CODES },
            detail: { type: 'string' },
          },
        },
      ],
    },
  };
}

/** `create-order` is CreateOrderPayload. */
function payloadName(flow: string): string {
  return `${flow.replaceAll(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase())}Payload`;
}

function jsonSchema(schema: z.ZodType): JsonObject {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io: 'input' });
  return rest;
}
