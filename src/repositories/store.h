/* The store: its transactions and its schema. What is in it stands in chat.h, usage.h and
 * their neighbours. */
#ifndef CONV__REPOSITORIES_STORE_H
#define CONV__REPOSITORIES_STORE_H

#include <stdint.h>

#include "conversation/schema.h"
#include "conversation/status.h"
#include "core/time.h"

typedef struct conv__store conv__store;
typedef struct conv__chat_repository conv__chat_repository;
typedef struct conv__usage_repository conv__usage_repository;
typedef struct conv__document_repository conv__document_repository;
typedef struct conv__session_repository conv__session_repository;
typedef struct conv__search_repository conv__search_repository;
typedef struct conv__summary_repository conv__summary_repository;

typedef enum conv__transaction_mode {
    CONV__TRANSACTION_READ, /* one question; sees what is committed */
    CONV__TRANSACTION_WRITE /* all or nothing */
} conv__transaction_mode;

/* First member of an implementation's own transaction. Belongs to one thread at a time. */
typedef struct conv__transaction {
    conv__store *store;
} conv__transaction;

typedef struct conv__store_functions {
    const char *name; /* db.system.name: "postgresql", "sqlite" */

    /* Leases a connection (opens one if there is room and none is idle) and begins. Nothing may be
     * sent yet. CONV_LIMIT: none became free before the deadline. CONV_UNAVAILABLE,
     * CONV_PERMISSION, CONV_NOT_FOUND, CONV_TIMEOUT: connecting failed. */
    conv_status (*begin)(conv__store *store, conv__transaction_mode mode, int64_t deadline_ns,
                         conv__transaction **transaction, conv_error *error);

    /* Sends what is queued, commits, waits for the acknowledgement and gives the connection back;
     * the transaction is gone whatever the answer. CONV_OK only when the store has confirmed the
     * commit. error->outcome_unknown when the connection broke after COMMIT was sent. Results of
     * queued writes are valid only after CONV_OK. */
    conv_status (*commit)(conv__transaction *transaction, conv_error *error);

    /* Ends without a trace; NULL is allowed. Also ends a READ. */
    void (*rollback)(conv__transaction *transaction);

    conv_status (*read_schema)(conv__store *store, int64_t deadline_ns, conv_schema_state *state,
                               conv_error *error);
    conv_status (*migrate)(conv__store *store, int64_t deadline_ns, conv_schema_state *state,
                           conv_error *error);

    /* Sends `payload` to whoever listens on `channel` (PostgreSQL's NOTIFY); NULL where there is no
     * such thing. */
    conv_status (*notify)(conv__store *store, const char *channel, const char *payload,
                          int64_t deadline_ns, conv_error *error);

    /* No transaction may be open. In a forked child it frees memory and touches no connection. */
    void (*close)(conv__store *store);
} conv__store_functions;

struct conv__store {
    const conv__store_functions *functions;
    conv__chat_repository *chat;
    conv__usage_repository *usage;
    conv__document_repository *documents;
    conv__session_repository *sessions;
    conv__search_repository *search;
    conv__summary_repository *summaries;
    conv__latest latest; /* for every transaction: the store is being closed */
};

#endif
