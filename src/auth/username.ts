/**
 * What can be a username: ASCII letters and digits, with single or repeated `.`, `_`, `-` between them. Nothing that looks like another
 * username, needs escaping, or that some database takes for another one in its own rules of upper and lower case (`İ` for `i`).
 */
export const USERNAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{1,30})[A-Za-z0-9]$/;
