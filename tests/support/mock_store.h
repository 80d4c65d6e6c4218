/* A store whose answers a test scripts and whose calls it counts. It keeps nothing: what behaves
 * like a store is SQLite in memory; this is for "was called with" and "breaks at call n". */
#ifndef TESTS_SUPPORT_MOCK_STORE_H
#define TESTS_SUPPORT_MOCK_STORE_H

#include <pthread.h>

#include "repositories/chat.h"
#include "repositories/sessions.h"
#include "repositories/store.h"
#include "repositories/usage.h"

enum { MOCK_STORE_COMMITS = 64, MOCK_STORE_SAVED = 4096 };

typedef struct mock_store {
    conv__store store;
    conv__chat_repository chat;
    conv__usage_repository usage;
    conv__session_repository sessions;

    /* Counted. */
    int reads;
    int writes;
    int open; /* transactions begun and not ended */
    int commits;
    int rollbacks;
    int saves;
    int removals;
    int lookups;
    int turn_reads;
    size_t largest_batch;
    int64_t last_deadline_ns;              /* of the transaction begun last */
    conv_uuid saved_ids[MOCK_STORE_SAVED]; /* of committed saves, in order: of the exchange, or the
                                              log id of a usage record that came alone */
    size_t saved_count;
    conv__exchange last; /* shallow: look at values, not behind pointers */
    conv__turn_query last_query;

    /* Scripted: the n-th commit fails with commit_errors[n] unless that is CONV_OK. */
    conv_error commit_errors[MOCK_STORE_COMMITS];
    conv_error begin_error;
    bool not_inserted;             /* every save finds its id existing */
    conv__exchange_state existing; /* what find_exchanges then gives */
    bool existing_is_last;         /* the stored one is the very attempt saved last */
    conv__turn_state turn_state;   /* what read_turn gives */
    bool deleted;                  /* what find_deleted gives for everything */
    conv_uuid poison;              /* a batch with this exchange, or record, fails in its commit: */
    conv_error poison_error;
    size_t most;                      /* larger batches find the store away; 0: none does */
    void (*on_commit)(void *context); /* called first thing in each commit */
    void *commit_context;
    void (*on_lookup)(void *context); /* the same in find_exchanges */
    void *lookup_context;

    pthread_mutex_t lock; /* held by the transaction under way */
    conv__transaction transaction;
    conv_uuid pending_ids[MOCK_STORE_SAVED];
    size_t pending_count;
    bool pending_poison;
} mock_store;

void mock_store_init(mock_store *mock);

/* Makes every begin fail, or not, while other threads use the mock. */
void mock_store_set_away(mock_store *mock, bool away);

/* Makes every batch with this exchange, or usage record, fail, while other threads use the mock. */
void mock_store_set_poison(mock_store *mock, conv_uuid id, conv_error error);

/* Makes larger batches than this fail, while other threads use the mock. */
void mock_store_set_most(mock_store *mock, size_t exchanges);

/* Committed so far, read while other threads use the mock. */
size_t mock_store_saved(mock_store *mock);

/* An error as a store would give it. */
conv_error mock_error(conv_status status, conv_recovery recovery, const char *sqlstate);

#endif
