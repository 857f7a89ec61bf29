/** An SQL expression: a time as JSON texts have it, or null. */
const iso = (time: string) => `to_char(${time} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/**
 * An SQL expression: the row `alias` of `messages` as callers see it, the JSON of `messageView`. For reads of many messages, which are then
 * sent on as they come: to parse each value here, and write it again, would cost most of what a page costs.
 */
export function messageJson(alias: string): string {
  return `(SELECT row_to_json(v)::text FROM (SELECT ${alias}.seq, ${alias}.last_seq AS "lastSeq", ${alias}.sender_id AS sender,
    ${alias}.client_id AS "clientId", ${alias}.text, ${alias}.meta, ${alias}.version, ${iso(`${alias}.created_at`)} AS "createdAt",
    ${iso(`${alias}.edited_at`)} AS "editedAt", ${iso(`${alias}.deleted_at`)} AS "deletedAt") v)`;
}
