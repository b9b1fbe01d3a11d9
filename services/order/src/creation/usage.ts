/**
 * What `creations` can be asked for, and what each of it reads from the environment.
 */
export const CREATIONS_USAGE = `usage (DATABASE_URL is the order service's database):
  creations again --since <RFC 3339 time> [--flow <name>] [--order <id>]... [--orders-from <file, or - for stdin>] [--per-second <1 to 1000>] [--dry-run]
      has ended creations made once more, after a restore; --since may be left out where orders are named
      reads ORDER_CREATIONS_KEPT_DAYS as the service does
  creations given-up
      lists the creations that are not sent any more
  creations cancel --transaction <namespace>/pay-<paymentId> --reason "<why>" [--order <id>] [--returned-by-provider] [--dry-run]
      sees to it that a payment can never be applied, so that it may be refunded; --order is needed where no creation of it waits
      needs PAYMENT_URL`;
