/* Saving without waiting: for event loops and for threads that have other things to do. */
#ifndef CONVERSATION_ASYNC_H
#define CONVERSATION_ASYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client.h"
#include "status.h"
#include "turn.h"
#include "uuid.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a submitted exchange ended. */
typedef struct conv_async_result {
    void *context;      /* as it was submitted */
    conv_status status; /* as conv_save_exchange would have answered */
    conv_error error;
    conv_saved saved; /* CONV_SAVED_NOT with a failure */
    bool repeat;      /* saved before, with the same content */
    char session_id[CONV_UUID_TEXT_SIZE];
    char turn_id[CONV_UUID_TEXT_SIZE];
} conv_async_result;

/* Gets a result on the library's own thread, on which all submitted exchanges are saved: it should
 * be quick. `result` is borrowed for the call. It may submit, but then never waits for room; it
 * must not close the client. */
typedef void (*conv_async_function)(void *context, const conv_async_result *result);

/* How a result is to be told. Start from CONV_ASYNC_PARAMS_INIT. */
typedef struct conv_async_params {
    size_t size;
    conv_async_function on_result; /* NULL: conv_async_next gives the result */
    void *context;                 /* comes back with the result */
    int64_t timeout_ms;            /* longest wait for room; 0: no wait */
} conv_async_params;

#define CONV_ASYNC_PARAMS_INIT                                                                     \
    {                                                                                              \
        sizeof(conv_async_params), NULL, NULL, 0                                                   \
    }

/* Takes an exchange as conv_save_exchange does, copies it and returns: it is then in memory only,
 * and saved when its result says so. Ids and times are made here. Each that was taken gets exactly
 * one result, within the client's store_timeout_ms and two seconds (and the wait_ms of event
 * subscriptions that wait for a slow handler, see events.h). Exchanges of a session are saved in
 * the order in which they were submitted; several go into one transaction. At most 4096 exchanges,
 * or 64 MiB of them (or a single one), are held: being saved, or with a result that nobody has
 * collected. The first call starts a thread, which has all signals blocked. conv_client_close saves
 * what was submitted, into the journal what the store does not take in time (without one that
 * fails); results that nobody collected before are gone then.
 * `exchange` see conv_exchange, borrowed for the call; `params` NULL for the defaults; `error` may
 * be NULL. CONV_INVALID_ARGUMENT as conv_save_exchange. CONV_LIMIT: there was no room until the
 * timeout; nothing was taken. CONV_STATE: the client is being closed, or the process was forked.
 * CONV_NO_MEMORY: also when no thread can be started. Thread: any. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_async_submit(conv_client *client, const conv_exchange *exchange,
                                               const conv_async_params *params, conv_error *error);

/* Gives the next result that has no function of its own, in the order in which they came about,
 * without waiting. `result` receives it. CONV_NOT_FOUND: there is none now. CONV_INVALID_ARGUMENT,
 * CONV_STATE. Thread: any. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_async_next(conv_client *client, conv_async_result *result,
                                             conv_error *error);

/* A descriptor (an eventfd) that is readable while results wait for conv_async_next: for poll,
 * epoll and the like. Only to be waited for, never to be read, written or closed; it belongs to the
 * client and ends with it. `descriptor` receives it. CONV_LIMIT: the process has no descriptors
 * left. CONV_INVALID_ARGUMENT, CONV_STATE, CONV_NO_MEMORY. Thread: any. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_async_descriptor(conv_client *client, int *descriptor,
                                                   conv_error *error);

#ifdef __cplusplus
}
#endif
#endif
