/* Running one static statement: parameters in order, then rows, then reset.
 *
 *     conv__sqlite_query query;
 *     conv__sqlite_prepare(&query, connection, &statements[SELECT_SESSION], ACTION);
 *     conv__sqlite_bind_uuid(&query, session_id);
 *     while (conv__sqlite_step(&query)) title = conv__sqlite_bytes(&query, 0);
 *     return conv__sqlite_finish(&query, error);
 *
 * The first failure sticks and is what conv__sqlite_finish reports, so the steps between need no
 * checks. Values are bound where they are, not copied: they must live until the end. */
#ifndef CONV__DB_SQLITE_QUERY_H
#define CONV__DB_SQLITE_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "conversation/bytes.h"
#include "conversation/decimal.h"
#include "conversation/status.h"
#include "conversation/uuid.h"
#include "core/zone.h"
#include "db/sqlite/connection.h"

/* Statements stand in static tables, each ended by one without SQL. They are prepared on first use
 * and kept by the connection, found by their address. */
typedef struct conv__sqlite_statement {
    const char *sql;
} conv__sqlite_statement;

enum { CONV__SQLITE_TEXTS = 10, CONV__SQLITE_TEXT_SIZE = 48 };

typedef struct conv__sqlite_query {
    struct sqlite3_stmt *prepared;
    conv__sqlite *connection;
    const char *action;
    int parameter; /* bound so far */
    int text;      /* of `texts` used so far */
    int code;      /* the first failure */
    bool damaged;  /* a column did not hold what it should */
    bool no_memory;
    char texts[CONV__SQLITE_TEXTS][CONV__SQLITE_TEXT_SIZE]; /* ids, times and amounts as bound */
} conv__sqlite_query;

void conv__sqlite_prepare(conv__sqlite_query *query, conv__sqlite *connection,
                          const conv__sqlite_statement *statement, const char *action);

/* Each binds the next parameter. */
void conv__sqlite_bind_text(conv__sqlite_query *query, conv_bytes text); /* absent: NULL */
void conv__sqlite_bind_blob(conv__sqlite_query *query, conv_bytes blob); /* absent: NULL */
void conv__sqlite_bind_integer(conv__sqlite_query *query, int64_t integer);
void conv__sqlite_bind_count(conv__sqlite_query *query, int64_t count); /* CONV_UNKNOWN: NULL */
void conv__sqlite_bind_uuid(conv__sqlite_query *query, conv_uuid uuid); /* nil: NULL */
void conv__sqlite_bind_uuid_or_nil(conv__sqlite_query *query, conv_uuid uuid);
void conv__sqlite_bind_time(conv__sqlite_query *query, int64_t time_us);
void conv__sqlite_bind_decimal(conv__sqlite_query *query,
                               const conv_decimal *decimal); /* or NULL */
/* For zone_date(); NULL is UTC. */
void conv__sqlite_bind_zone(conv__sqlite_query *query, const conv__zone *zone);

/* Whether there is a (next) row. False at the end and after any failure. */
bool conv__sqlite_step(conv__sqlite_query *query);

/* Columns of the row, from 0. What they point to lives until the next step. */
conv_bytes conv__sqlite_bytes(conv__sqlite_query *query, int column); /* NULL: absent */
int64_t conv__sqlite_integer(conv__sqlite_query *query, int column);
int64_t conv__sqlite_count(conv__sqlite_query *query, int column);  /* NULL: CONV_UNKNOWN */
conv_uuid conv__sqlite_uuid(conv__sqlite_query *query, int column); /* NULL: nil */
int64_t conv__sqlite_time(conv__sqlite_query *query, int column);
bool conv__sqlite_decimal(conv__sqlite_query *query, int column, conv_decimal *decimal);

/* Marks what the caller finds in a column as damaged. */
void conv__sqlite_damaged(conv__sqlite_query *query);
/* Marks that the caller ran out of memory while it read. */
void conv__sqlite_no_memory(conv__sqlite_query *query);

/* Resets the statement, so that nothing stays locked or bound. A failure fails the transaction:
 * every later query of it and its commit give the same one. CONV_BAD_DATA: a column was damaged.
 * CONV_LIMIT: too large, or a sum passed its type. CONV_STATE: the schema lacks what the statement
 * names. Else see conv__sqlite_classify. */
CONV_WARN_UNUSED conv_status conv__sqlite_finish(conv__sqlite_query *query, conv_error *error);

/* For a statement without rows: steps, finishes, and gives how many rows it changed (`changes` may
 * be NULL). */
CONV_WARN_UNUSED conv_status conv__sqlite_execute(conv__sqlite_query *query, int64_t *changes,
                                                  conv_error *error);

#endif
