/* The store that a contract suite runs on: one interface, opened by the kind that ctest names. */
#ifndef TESTS_SUPPORT_CONTRACT_STORE_H
#define TESTS_SUPPORT_CONTRACT_STORE_H

#include "repositories/chat.h"
#include "repositories/store.h"
#include "repositories/usage.h"
#include "support/store.h"

/* Group setup and teardown: an empty database with the schema, and a store opened on it. */
int contract_setup(void **state);
int contract_teardown(void **state);

/* An empty database without a schema, and a store opened on it; the caller closes it and then drops
 * the database. 0 or -1. */
int contract_setup_empty(conv__store **store);

/* The store that contract_setup opened. */
conv__store *contract_store(void);

/* Where its database is, for a connection beside the library. */
const char *contract_url(void);

/* One more handle on the same database, with connections of its own; `create` is for one that is
 * not there yet. CONV_OK or what opening says. */
conv_status contract_open(conv__store **store, conv_error *error);

/* Ten seconds from now. */
int64_t contract_deadline(void);

/* A transaction that begins or ends the test. */
conv__transaction *contract_begin(conv__store *store, conv__transaction_mode mode);

/* Saves in one transaction, with retries where another writer was in the way. No assertions, so any
 * thread may call it. `results` may be NULL. */
conv_status contract_save(conv__store *store, const conv__exchange *const *exchanges, size_t count,
                          conv__save_result *results, conv_error *error);

/* The text of an id for contract_count; one of a few static places in turn. */
const char *contract_uuid(conv_uuid uuid);

#endif
