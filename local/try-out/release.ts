/**
 * The release that is installed to try ordertx out: its name, so that accounts are called <name>-controller and so on, and its namespace.
 */
export const TRY_OUT = { release: 'ordertx', namespace: 'shop' } as const;
