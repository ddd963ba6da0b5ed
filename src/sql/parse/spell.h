/*
 * spell.h - the spellings of streaming SQL that PostgreSQL's grammar lacks (RisingWave's).
 *
 *   written                                               left for the grammar
 *   CREATE SOURCE s (…), DROP SOURCE s                    CREATE TABLE s (…), DROP TABLE s
 *   CREATE TABLE t (…, WATERMARK FOR c AS c - i)          CREATE TABLE t (…)
 *   CREATE TABLE t (…) APPEND ONLY                        CREATE TABLE t (…)
 *   CREATE MATERIALIZED VIEW v AS … EMIT ON WINDOW CLOSE  CREATE MATERIALIZED VIEW v AS …
 *   JOIN t FOR SYSTEM_TIME AS OF PROCTIME() ON …          JOIN t ON …
 *   CREATE SINK s …, DROP SINK s                          CREATE VIEW s AS SELECT, DROP VIEW s
 *   FLUSH · SUBSCRIBE …                                   nothing
 *   COPY (SUBSCRIBE …) TO …, DECLARE c CURSOR FOR SUBSC…  COPY (SELECT) TO …
 *
 * What is taken out is overwritten with blanks, so that every position stays where it was, and told
 * in a sql_spelling (parse.h). ASOF JOIN is refused here: PostgreSQL's grammar would take ASOF for
 * an alias and silently join something else.
 */
#ifndef NONET_SQL_PARSE_SPELL_H
#define NONET_SQL_PARSE_SPELL_H

#include "sql/parse/parse.h"

/* One statement of TEXT, START .. END (behind it: `;` or the end). ORIGINAL: the whole, unchanged;
   TEXT is written to. 0, or an error (0A000, 42601) with its position. */
must_use int sql_spell(slice original, char *text, uint32_t start, uint32_t end,
                       struct sql_spelling *ret, struct sql_error *error);

/* spell_subscribe.c: what stands behind SUBSCRIBE, up to the end of TOKENS or a parenthesis that is
   not its own, which is where TOKENS is then. ORIGINAL as above, TOKENS reads from it. */
struct sql_tokens;
must_use int sql_spell_subscribe(slice original, struct sql_tokens *tokens,
                                 struct sql_spelling *ret, struct sql_error *error);

#endif
