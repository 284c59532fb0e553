// Addresses that the page and the server agree on.

/** Renoir's own page, API documentation and figures lie here too; with an upstream, only here. */
export const ownPrefix = "/renoir-ui";
