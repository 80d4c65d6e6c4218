/* Asking a provider: the one place that calls `complete`, and what is remembered of how it went. It
 * keeps no text of messages. */
#ifndef CONV__SERVICES_PROVIDER_CALLS_H
#define CONV__SERVICES_PROVIDER_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/provider.h"
#include "services/redaction.h"

/* So many providers are told apart by their names; further ones share the last record. */
enum { CONV__PROVIDERS = 8, CONV__PROVIDER_NAME_SIZE = 64 };

/* How the calls to one provider went. A call that the caller cancelled, or that had wrong words or
 * no memory, is neither an answer nor a failure. */
typedef struct conv__provider_record {
    char name[CONV__PROVIDER_NAME_SIZE];
    int64_t calls;
    int64_t failures;
    int64_t failures_in_row; /* since the last answer */
    bool check_failed;       /* likewise, in a call that was made to find out */
    int64_t latency_us;      /* of the last call */
    int64_t answered_us;     /* when it answered last; 0: never */
    int64_t failed_us;       /* when it failed last; 0: never */
    conv_error failure;      /* why */
} conv__provider_record;

typedef struct conv__provider_calls conv__provider_calls;

/* `redaction` is copied. NULL when out of memory. */
conv__provider_calls *conv__provider_calls_create(const conv__redaction *redaction);
void conv__provider_calls_free(conv__provider_calls *calls); /* NULL is allowed */

/* Asks the provider and remembers how it went. `calls` may be NULL: then nobody remembers.
 * `latency_us` receives how long it took. Statuses as `complete` of provider.h; CONV_PROVIDER also
 * for an answer without any message. After a failure `error` is whole, whatever the provider left
 * in it, and redacted: whoever gets it keeps it, in the ledger or for health. Thread: any. */
CONV_WARN_UNUSED conv_status conv__provider_calls_ask(conv__provider_calls *calls,
                                                      conv_provider *provider,
                                                      const conv_provider_request *request,
                                                      conv_provider_response *response,
                                                      int64_t *latency_us, conv_error *error);

/* Lets the provider's last failure count for a whole row of them, unless it has answered since: it
 * was asked to find out. */
void conv__provider_calls_suspect(conv__provider_calls *calls, const conv_provider *provider);

/* Gives how many providers were asked; if any, `worst` receives the record that most needs to be
 * looked at: of a failed check, of the most failures in a row, of the most calls. */
size_t conv__provider_calls_worst(conv__provider_calls *calls, conv__provider_record *worst);

#endif
