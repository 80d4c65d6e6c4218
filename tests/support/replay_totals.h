/* Totals of replayed conversations, as counted on the way, beside those of the library and those of
 * SQL of the test's own. On the main thread only. */
#ifndef TESTS_SUPPORT_REPLAY_TOTALS_H
#define TESTS_SUPPORT_REPLAY_TOTALS_H

#include <stddef.h>

#include "conversation/client.h"

/* USD for a million tokens: what each record must have been priced with. */
#define REPLAY_INPUT_PRICE  "2.50"
#define REPLAY_OUTPUT_PRICE "10.00"

typedef struct replay_totals {
    size_t conversations;
    size_t exchanges;
    size_t messages;
    long long input_tokens;
    long long output_tokens;
} replay_totals;

/* conv_usage_sum says the same. */
void replay_totals_summed(conv_client *client, const replay_totals *totals);

/* Tables, ledger and daily summary say the same, asked by libpq or sqlite3. */
void replay_totals_stored(const char *kind, const char *url, const replay_totals *totals);

#endif
