/* What the contract suites of the public API stand on: an empty store of the kind that ctest names,
 * a folder beside it, and clients on that store. On the main thread only. */
#ifndef TESTS_SUPPORT_CONTRACT_CLIENT_H
#define TESTS_SUPPORT_CONTRACT_CLIENT_H

#include "conversation/client.h"

/* Setup and teardown, of a group or of each test: the store, which has no schema yet, and the
 * folder are made and removed. */
int contract_client_setup(void **state);
int contract_client_teardown(void **state);

const char *contract_client_url(void);
const char *contract_client_folder(void);

/* For a journal: a file in the folder, which nobody has made. */
const char *contract_client_journal(void);

/* Settings for that store. They migrate it, and wait for it longer than a test takes: its speed is
 * not what is tested, and machines differ. */
conv_client_params contract_client_params(void);

conv_client *contract_client_open(const conv_client_params *params);

/* What was saved is forgotten with the journal's next group of changes: waits for that, twenty
 * seconds at most. */
void contract_client_await_empty_journal(conv_client *client);

/* Nothing may be left waiting; `*client` is NULL afterwards, and may be before. */
void contract_client_close(conv_client **client);

#endif
