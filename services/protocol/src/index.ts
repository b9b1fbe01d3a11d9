/**
 * The wire contract between the controller and its participants.
 *
 * Names, forms and payload schemas only; it does nothing over the network and imports nothing of the repository, so both ends can
 * depend on it.
 */
export * from './attempts.ts';
export * from './audience.ts';
export * from './deep-json.ts';
export * from './detail.ts';
export * from './exact-json.ts';
export * from './headers.ts';
export * from './nesting.ts';
export { renderOpenApi } from './openapi.ts';
export * from './operations.ts';
export * from './payloads.ts';
export * from './problems.ts';
export { render as renderSchemas } from './schemas.ts';
export * from './message-types.ts';
export * from './messages.ts';
