/* What the files of this folder share behind the back of everybody else: the only header that
 * includes libpq's. */
#ifndef CONV__DB_POSTGRES_LIBPQ_H
#define CONV__DB_POSTGRES_LIBPQ_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "conversation/status.h"
#include "db/postgres/connection.h"
#include "db/postgres/statement.h"

/* More than these are sent as text each time. */
#define CONV__PREPARED_LIMIT 64

/* A statement that a connection's server has, or is to have, under a name. */
typedef struct conv__prepared {
    const conv__statement *statement;
    bool confirmed;
    char name[48];
} conv__prepared;

struct conv__connection {
    PGconn *link;
    pid_t process;        /* a forked child must not touch the link */
    bool broken;          /* to be closed, not to be used again */
    int64_t open_by_ns;   /* the end of the time for opening it */
    atomic_bool *unnamed; /* shared by all connections of a pool */
    const conv__latest *latest;
    bool wait_cut_off; /* a transaction ended without waiting for the synchronous standbys */
    /* What the server said while nobody asked it; libpq tells only the notice receiver. */
    char last_words_state[6];
    char last_words[256];
    conv__prepared prepared[CONV__PREPARED_LIMIT];
    int prepared_count;
    conv__buffer spare;
};

/* Waits until the link can be read (or written, if `write`), and says which. CONV_TIMEOUT at the
 * deadline. */
conv_status conv__connection_wait(conv__connection *connection, bool write, int64_t deadline_ns,
                                  bool *readable);

/* Fills `error` from a failed result, or, with `result` NULL, from a link that broke. Marks the
 * connection as broken where it is of no more use. Gives the status. */
conv_status conv__connection_failure(conv__connection *connection, const PGresult *result,
                                     const char *action, conv_error *error);

/* Where no data was sent, none can be at fault: what would reject it asks for a person instead.
 * `error` may be NULL. */
void conv__failure_without_data(conv_error *error);

/* The deadline passed with an answer outstanding: the connection can't be used again. */
conv_status conv__connection_timeout(conv__connection *connection, const char *action,
                                     conv_error *error);

#endif
