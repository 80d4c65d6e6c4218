/* What the scripted server keeps: exchanges and usage records by their keys, as far as the
 * statements that save and look up carry them. It knows nothing of connections. The functions take
 * the store's own lock. */
#ifndef TESTS_FAULT_FAKE_STORE_H
#define TESTS_FAULT_FAKE_STORE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum { FAKE_ID = 16, FAKE_HASH = 16, FAKE_EXCHANGES = 512, FAKE_RECORDS = 512, FAKE_PENDING = 64 };

typedef struct fake_exchange {
    char session_id[FAKE_ID];
    char exchange_id[FAKE_ID];
    char request_hash[FAKE_HASH];
    char reply_hash[FAKE_HASH];
    char log_id[FAKE_ID];
    char status[16];
    bool whole; /* all its messages and its usage record came with it */
} fake_exchange;

typedef struct fake_record {
    char log_id[FAKE_ID];
    char session_id[FAKE_ID];
} fake_record;

/* What a transaction has written so far. */
typedef struct fake_changes {
    fake_exchange exchanges[FAKE_PENDING];
    size_t exchange_count;
    fake_record records[FAKE_PENDING];
    size_t record_count;
    bool removes;          /* a failed exchange */
    fake_exchange removed; /* its keys and its request's hash */
} fake_changes;

typedef struct fake_store {
    pthread_mutex_t lock;
    fake_exchange exchanges[FAKE_EXCHANGES];
    size_t exchange_count;
    fake_record records[FAKE_RECORDS];
    size_t record_count;
} fake_store;

/* Whether there is a committed one; `found` receives it. */
bool fake_find_exchange(fake_store *self, const char *session_id, const char *exchange_id,
                        fake_exchange *found);
bool fake_has_record(fake_store *self, const fake_record *record);

/* What stands there by then is not written again. */
void fake_commit(fake_store *self, const fake_changes *changes);

void fake_forget(fake_store *self);

#endif
