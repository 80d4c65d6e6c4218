/* The client: one store, its connections, and everything that works on them. */
#ifndef CONVERSATION_CLIENT_H
#define CONVERSATION_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "provider.h"
#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct conv_client conv_client;
typedef struct conv_middleware conv_middleware;

/* The price of a model: decimal literals in USD per million tokens; NULL means the kind has no
 * price of its own (cache and reasoning tokens then cost what input and output cost). Copied. */
typedef struct conv_price {
    const char *model; /* exact name, or a prefix that ends with '*'; the longest match wins */
    const char *input;
    const char *output;
    const char *cache_read;
    const char *cache_write;
    const char *reasoning;
} conv_price;

typedef enum conv_schema_policy {
    CONV_SCHEMA_DEFAULT = 0, /* a new or empty SQLite file gets the schema; else as CHECK, so
                                also for one that holds somebody else's tables */
    CONV_SCHEMA_CHECK,       /* refuse a store whose schema is missing, older or newer */
    CONV_SCHEMA_MIGRATE,     /* bring an older or empty store up to date first */
    CONV_SCHEMA_IGNORE       /* open without looking: for the migration itself */
} conv_schema_policy;

/* What an acknowledgement of the journal survives. */
typedef enum conv_journal_sync {
    CONV_JOURNAL_SYNC_POWER = 0, /* a power cut: each group of changes is one fsync */
    CONV_JOURNAL_SYNC_PROCESS    /* the process being killed, not a power cut: no fsync */
} conv_journal_sync;

/* Settings of a client. Start from CONV_CLIENT_PARAMS_INIT; NULL or 0 means the default. Copied,
 * except the provider. */
typedef struct conv_client_params {
    size_t size;
    /* Any libpq connection string (URI or key=value; PG* environment, .pgpass and service files
     * work), or "sqlite:FILE", or "sqlite::memory:". NULL: $CONVERSATION_STORE, else $DATABASE_URL,
     * else SQLite in $XDG_DATA_HOME/conversation/conversation.db (~/.local/share if unset). An
     * empty text counts as NULL or unset. conv_store_locate (store.h) says which it is. */
    const char *store;
    conv_schema_policy schema;
    /* SQLite: never create or change the file. Its folder must still let this user make files, as a
     * reader takes part in the write-ahead log. */
    bool read_only;
    bool pooler;     /* a transaction pooler is between: no named statements */
    int connections; /* PostgreSQL connections at most; 1 to 1000; 8 */
    /* For opening a connection, DNS excepted, or for a lock that another process has on SQLite's
     * file when that is opened; 10000. `connect_timeout` of a connection string goes first. */
    int64_t connect_timeout_ms;
    int64_t store_timeout_ms; /* for one transaction or question, waiting included; 30000 */
    /* For one turn, up to the provider's answer; 600000. Saving it then has store_timeout_ms of its
     * own, because an answer that was paid for must not be lost to the time it took. */
    int64_t turn_timeout_ms;
    conv_provider *provider; /* who answers; borrowed, outlives the client; NULL: only per turn */
    const char *model;       /* for turns that name none */
    const conv_price *prices;
    size_t price_count;
    int context_messages;    /* history sent along with a turn: -1 none; 1 to 10000; 50 */
    const char *application; /* fallback_application_name; "conversation" */
    /* A local file that keeps what was accepted while the store is away, and turns under way; made
     * if it is not there; each process needs one of its own, and it can't be the store's file.
     * NULL: none, then a store that is away is an error of the call. */
    const char *journal;
    /* For a program that only looks: what waits in the journal stays there, neither a thread nor
     * closing brings it to the store, and closing does not count it as left over. */
    bool journal_stays;
    conv_journal_sync journal_sync;
    /* Of what is in it at most, dead letters included; 1 GiB. At the limit calls wait, then get
     * CONV_LIMIT. Its log comes on top, about 4 MB more on the disk; the metric
     * conversation_journal_bytes shows both together. */
    int64_t journal_bytes;
    int64_t journal_age_ms;      /* of what waits longest in it, likewise; 0: no limit */
    int tracker_records;         /* buffered usage records that start a flush; 1 to 100000; 10 */
    int64_t tracker_interval_ms; /* age of a buffered record that starts one; 60000 */
    /* The steps that a turn passes, in order (middleware.h); the array is copied, the steps are
     * borrowed and outlive the client. NULL: validate_ids, provider, save_to_database, track_usage,
     * publish. */
    conv_middleware *const *chain;
    size_t chain_count; /* at most 64 */
    /* Tokens of the history that is sent along (as conv_token_estimate has it; summary.h), the
     * turn's own messages aside: beginning system messages, the latest summary, and of the last
     * context_messages as many as fit. A summary that is longer than what the system messages leave
     * is cut at its end, key points first, or left out where fewer than 24 tokens are left. System
     * messages are always sent: where they alone exceed the limit, they are all that is. 0: all of
     * them. */
    int64_t context_tokens;
    /* After a turn whose session holds so many tokens that no summary covers, or more messages than
     * context_messages, the provider is asked for a summary: on a thread of its own, one at a time,
     * from a queue of 64, so that no turn waits for it. One summary covers no more than
     * context_tokens (at least 4,000, at most 60,000); while as many as summary_tokens are left
     * uncovered, the next one follows without another turn. More than context_tokens would leave
     * messages that neither summary nor context has. It wants `provider`. 0: never. */
    int64_t summary_tokens;
    const char *summary_model; /* NULL: `model` */
} conv_client_params;

#define CONV_CLIENT_PARAMS_INIT                                                                    \
    {                                                                                              \
        sizeof(conv_client_params), NULL, CONV_SCHEMA_DEFAULT, false, false, 0, 0, 0, 0, NULL,     \
            NULL, NULL, 0, 0, NULL, NULL, false, CONV_JOURNAL_SYNC_POWER, 0, 0, 0, 0, NULL, 0, 0,  \
            0, NULL                                                                                \
    }

/* Opens a client: connects once, and checks the schema's version. With a journal a store that is
 * away for a reason that may pass by itself (nobody there, starting up, no connection left, no
 * answer) is no failure: what is saved waits in the journal, and the schema is checked when the
 * store is back. `params` settings, NULL for all defaults; `client` receives the handle, to be
 * given back with conv_client_close, NULL after a failure; `error` may be NULL.
 * CONV_INVALID_ARGUMENT: a setting is out of range, the connection string or a price is malformed,
 * the steps of `chain` can't work in that order, or the journal is the store's own SQLite file.
 * CONV_UNAVAILABLE: no server there, or no such SQLite file with read_only. CONV_PERMISSION: wrong
 * password, missing right, unreadable file. CONV_NOT_FOUND: no such database. CONV_STATE: the
 * schema is missing or older (run `conversation migrate`), newer than this library or made by
 * another form of it; or another live process has the journal open. CONV_BAD_DATA: the file is not
 * an SQLite database. CONV_TIMEOUT, CONV_NO_MEMORY. Takes up to `connect_timeout_ms`, for each of
 * several hosts, and `store_timeout_ms` for the schema; with a journal also what the local disk
 * takes to look through it. Thread: any. Round trips: connecting and 1;
 * more to migrate. */
CONV_WARN_UNUSED conv_status conv_client_open(const conv_client_params *params,
                                              conv_client **client, conv_error *error);

/* NULL unless the journal was damaged when the client opened it: then the name under which the
 * damaged file was kept, as it was found. What could be read of it was taken over; `conversation
 * journal list` shows it. Lives as long as the client. Thread: any. Round trips: none. */
const char *conv_client_journal_set_aside(const conv_client *client);

/* From now on nothing of this client waits for the store longer than `timeout_ms`: calls under way
 * are stopped shortly before, what they carry goes into the journal (without one they fail with
 * CONV_TIMEOUT), and conv_client_close ends by then, too. For a program that was asked to end while
 * its threads are in their calls. `timeout_ms` 0 for at once; `client` NULL is allowed. Thread:
 * any, also in a signal handler; not beside conv_client_close. Round trips: none. */
void conv_client_hurry(conv_client *client, int64_t timeout_ms);

/* Waits for calls under way and for what was submitted (async.h), saves buffered usage, lets
 * handlers of events finish what they were told, for half of the time at most, saves what waits in
 * the journal, closes the connections and frees the client; it is gone whatever the answer.
 * `timeout_ms` at most so long, 0 for no wait: while the store is away it is tried again until
 * then, nothing waits for the store beyond it, and the local disk gets a second more. With a
 * journal calls that wait for the store are stopped in time to write what they carry into it: the
 * last quarter, half a second at most. `client` NULL is allowed; `error` may be NULL. CONV_TIMEOUT:
 * calls were still under way (in a provider, or in the application's own function; of a handler of
 * events after its half), the message says how many, and how much then waits where, and the client
 * goes when the last of them returns; or exchanges or usage records still wait in the journal, the
 * message says how many, in which file and why, and the next client that opens it will save them;
 * or events did not reach their handlers, the message says how many
 * (a handler that has not come to its end is left alone with its context until it does).
 * CONV_UNAVAILABLE: buffered usage records could be saved nowhere and are gone (never with a
 * journal). CONV_STATE: this process was forked after the client was opened, or this is within an
 * event handler (events.h); nothing is touched. Thread: owner; no other call may begin any more.
 * Round trips: those of saving what waits. */
conv_status conv_client_close(conv_client *client, int64_t timeout_ms, conv_error *error);

#ifdef __cplusplus
}
#endif
#endif
