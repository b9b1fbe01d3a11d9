/**
 * The JSON Schema files under services/protocol/schemas, for readers who do not speak zod.
 *
 * Of every payload, of problem documents, and of what lies on the streams. Derived and checked in; the generator writes them and a test compares. What JSON Schema cannot say (one line
 * per SKU, totalCents is the sum) stands in the descriptions.
 */
import { z } from 'zod';
import { paymentSucceededSchema, wmsShippedSchema } from './message-types.ts';
import { eventSchema, receiptSchema } from './messages.ts';
import { payloadSchemas } from './payloads.ts';
import { problemSchema } from './problems.ts';

/** File name (in services/protocol/schemas) to the file's whole text, ending in a newline. */
export function render(): ReadonlyMap<string, string> {
  const schemas: Readonly<Record<string, z.ZodType>> = {
    ...payloadSchemas,
    problem: problemSchema,
    event: eventSchema,
    receipt: receiptSchema,
    'payment.succeeded': paymentSucceededSchema,
    'wms.shipped': wmsShippedSchema,
  };
  return new Map(Object.entries(schemas).map(([name, schema]) => [`${name}.json`, renderOne(name, schema)]));
}

function renderOne(name: string, schema: z.ZodType): string {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input' });
  return jsonText({
    $schema,
    $id: `urn:ordertx:schema:${name}`,
    $comment: 'Generated from services/protocol/src by `npm run generate`; do not edit.',
    ...rest,
  });
}

const WORD_LIST = /\[\n\s+("[^"\n]*"(?:,\n\s+"[^"\n]*")*)\n\s+\]/g;

/** As the repository's formatter has it: lists of words stand on one line. */
export function jsonText(document: Readonly<Record<string, unknown>>): string {
  const text = JSON.stringify(document, null, 2).replaceAll(WORD_LIST, (_list, words: string) => {
    return `[${words.replaceAll(/,\n\s+/g, ', ')}]`;
  });
  return `${text}\n`;
}
