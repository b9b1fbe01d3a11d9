/**
 * The service kit: what every service of this system stands on.
 *
 * The fence of the participant protocol, inbox and outbox, tokens, HTTP, Postgres, settings and logging. It knows no business.
 */
export * from './auth/tokens.ts';
export * from './http/app.ts';
export * from './http/idempotency-key.ts';
export * from './http/ask.ts';
export * from './http/listen.ts';
export { databaseGauges, type DatabaseGauge } from './http/metrics.ts';
export * from './http/problem.ts';
export type * from './http/reply.ts';
export * from './http/route.ts';
export * from './http/signature.ts';
export type { UncheckedRequest } from './http/unchecked-request.ts';
export * from './http/validate.ts';
export * from './http/webhook.ts';
export * from './commands/process.ts';
export { servingUrl } from './database-settings.ts';
export * from './ids.ts';
export * from './log.ts';
export type * from './messages/handler.ts';
export { forgetMessage } from './messages/inbox.ts';
export { tell, type OutgoingMessage } from './messages/outbox.ts';
export type * from './participant/branch.ts';
export * from './participant/cleaning.ts';
export * from './participant/routes.ts';
export * from './participant/settle.ts';
export * from './participant/settle-command.ts';
export type { Cleaning } from './postgres/cleaning.ts';
export * from './postgres/errors.ts';
export {
  joinedStatement,
  runAlone,
  usualCase,
  type JoinedStatement,
  type StatementOutcome,
  type UsualCase,
} from './postgres/joined-statement.ts';
export * from './postgres/migrate.ts';
export * from './postgres/notifications.ts';
export * from './postgres/pool.ts';
export * from './postgres/sql.ts';
export * from './postgres/transaction.ts';
export * from './service.ts';
export * from './service-settings.ts';
export * from './settings.ts';
export { postgresUrl } from './server-url.ts';
export { checkRedisTls, redisUrlOf } from './tls-settings.ts';
