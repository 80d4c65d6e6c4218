/* Calls enter and leave; closing keeps new ones out, stops those that wait for the store, and waits
 * until the last one has left. */
#include "client.h"

#include <stdio.h>

#include "core/error.h"
#include "core/process.h"
#include "core/thread.h"
#include "core/time.h"

#define ACTION "close client"

/* In client->calls. While it is closing, only handlers of events may call; once it is shut, nobody.
 * Their calls are counted apart, because they have less time. */
enum { CLOSING = 1, SHUT = 2, ONE_CALL = 4 };
#define HANDLERS_CALL (UINT64_C(1) << 32)
enum {
    DISK_MS = 900,    /* that the local disk gets beyond a deadline; the rest of a second is ours */
    STOPPED_MS = 500, /* of a closing, at most: what was stopped goes into the journal */
    LOOK_MS = 50,
    NS_PER_MS = 1000000
};

conv_status conv__client_enter(conv_client *client, const char *action, conv_error *error)
{
    conv__error_clear(error);
    if (client == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, action, "the client is NULL");
    if (client->pid != conv__process_id())
        return conv__fail(error, CONV_STATE, action,
                          "this process was forked after the client was opened: open one of its "
                          "own");
    bool in_handler = conv__bus_in_handler();
    uint64_t before = atomic_fetch_add(&client->calls, in_handler ? HANDLERS_CALL : ONE_CALL);
    if ((before & CLOSING) == 0 || ((before & SHUT) == 0 && in_handler)) return CONV_OK;
    conv__client_leave(client);
    return conv__fail(error, CONV_STATE, action, "the client is being closed");
}

/* Whoever closes frees the client when the last call has left, so that this one must not be touched
 * afterwards: with the lock held it can't be freed, and without CLOSING nobody waits for it. */
static void leave(conv_client *client, uint64_t call)
{
    uint64_t calls = atomic_load(&client->calls);
    while ((calls & CLOSING) == 0)
        if (atomic_compare_exchange_weak(&client->calls, &calls, calls - call)) return;
    pthread_mutex_lock(&client->lock);
    atomic_fetch_sub(&client->calls, call);
    pthread_cond_broadcast(&client->idle);
    pthread_mutex_unlock(&client->lock);
}

void conv__client_leave(conv_client *client)
{
    leave(client, conv__bus_in_handler() ? HANDLERS_CALL : ONE_CALL);
}

void conv__client_stay(conv_client *client)
{
    if (conv__bus_in_handler()) atomic_fetch_sub(&client->calls, HANDLERS_CALL - ONE_CALL);
}

void conv__client_leave_at_last(conv_client *client)
{
    leave(client, ONE_CALL);
}

static size_t all_calls(uint64_t calls)
{
    return (size_t)(calls / HANDLERS_CALL + calls % HANDLERS_CALL / ONE_CALL);
}

static bool are_handlers_alone(uint64_t calls)
{
    return calls % HANDLERS_CALL < ONE_CALL;
}

/* When calls are to leave the store, so that what they carry is in the journal by the deadline. */
static int64_t stopping_moment(const conv_client *client, int64_t deadline_ns)
{
    int64_t quarter_ms = conv__deadline_left_ms(deadline_ns) / 4;
    if (!conv__saving_has_journal(client->saving)) return deadline_ns;
    return deadline_ns - (quarter_ms < STOPPED_MS ? quarter_ms : STOPPED_MS) * NS_PER_MS;
}

static void stop_by(conv_client *client, int64_t deadline_ns)
{
    atomic_store(&client->store->latest.moment_ns, stopping_moment(client, deadline_ns));
}

/* In a signal handler: nothing here takes a lock or memory. */
void conv_client_hurry(conv_client *client, int64_t timeout_ms)
{
    if (client == NULL) return;
    int64_t deadline = conv__deadline_in_ms(timeout_ms > 0 ? timeout_ms : 0);
    atomic_store(&client->hurry_ns, deadline);
    stop_by(client, deadline);
}

/* From here on `kept_out`; gives which calls are still under way after the deadline. When only
 * handlers' are left it is theirs that counts. */
static uint64_t await_calls(conv_client *client, uint64_t kept_out, int64_t deadline_ns,
                            int64_t handlers_ns)
{
    pthread_mutex_lock(&client->lock);
    uint64_t calls = atomic_fetch_or(&client->calls, kept_out);
    while (all_calls(calls) > 0) {
        int64_t end_ns = are_handlers_alone(calls) ? handlers_ns : deadline_ns;
        if (conv__deadline_passed(end_ns)) break;
        (void)conv__condition_wait(&client->idle, &client->lock, end_ns);
        calls = atomic_load(&client->calls);
    }
    pthread_mutex_unlock(&client->lock);
    return calls;
}

typedef struct unsaved {
    long long entries;  /* of the journal, which wait for the store */
    long long buffered; /* usage records; with a journal in files beside it */
} unsaved;

static unsaved what_waits(conv_client *client)
{
    return (unsaved){conv__saving_waiting(client->saving),
                     (long long)conv__tracker_buffered(client->tracker)};
}

/* What is not in the store then, where it is, and what to do. */
static conv_status fail_with_calls(conv_client *client, uint64_t calls, int64_t timeout_ms,
                                   conv_error *error)
{
    char rest[CONV_MESSAGE_SIZE] = "each still tells its caller whether it was saved";
    unsaved left = what_waits(client);
    long long waiting = left.entries + left.buffered;
    if (waiting > 0 && client->journal != NULL)
        snprintf(rest, sizeof rest,
                 "%lld entr%s in the journal %s: the next client that opens it saves %s", waiting,
                 waiting == 1 ? "y waits" : "ies wait", client->journal,
                 waiting == 1 ? "it" : "them");
    else if (waiting > 0)
        snprintf(rest, sizeof rest,
                 "usage records that are in memory alone and go with the process: %lld; set a "
                 "journal to keep them",
                 waiting);
    return conv__fail(error, CONV_TIMEOUT, ACTION, "%zu %s still under way after %s%lld ms; %s",
                      all_calls(calls), all_calls(calls) == 1 ? "call was" : "calls were",
                      are_handlers_alone(calls) ? "a handler's half of " : "",
                      (long long)timeout_ms, rest);
}

/* Handlers get what is true by now while they may still call the library. One that does not come to
 * its end leaves half of the time to save what waits. */
static void deliver(conv_client *client, int64_t half_ns)
{
    conv__tracker_flush_before_close(client->tracker, half_ns);
    conv__bus_settle(client->bus, half_ns);
}

/* A handler that does not come out of its call keeps the client, whose thread goes on saving what
 * waits: that has the rest of the time. */
static uint64_t await_drain(conv_client *client, uint64_t calls, int64_t deadline_ns)
{
    while (all_calls(calls) > 0 && are_handlers_alone(calls) &&
           !conv__deadline_passed(deadline_ns) && what_waits(client).entries > 0) {
        int64_t look_ns = conv__deadline_in_ms(LOOK_MS);
        calls = await_calls(client, SHUT, look_ns, look_ns);
    }
    return calls;
}

static void *destroy_later(void *context)
{
    conv_client *client = context;
    (void)await_calls(client, SHUT, CONV__NO_DEADLINE, CONV__NO_DEADLINE);
    (void)conv__client_destroy(client, conv__deadline_in_ms(0), NULL, NULL);
    return NULL;
}

/* Calls that no store holds up, but a provider or the application. When the last one has left the
 * client goes, too, and with it the lock of its journal; without a thread to do it, never. */
static conv_status leave_to_calls(conv_client *client, uint64_t calls, int64_t timeout_ms,
                                  conv_error *error)
{
    pthread_t thread;
    conv_status status = fail_with_calls(client, calls, timeout_ms, error);
    if (conv__thread_start(&thread, destroy_later, client)) (void)pthread_detach(thread);
    return status;
}

conv_status conv_client_close(conv_client *client, int64_t timeout_ms, conv_error *error)
{
    conv__error_clear(error);
    if (client == NULL) return CONV_OK;
    if (client->pid != conv__process_id())
        return conv__fail(error, CONV_STATE, ACTION,
                          "this process was forked after the client was opened: its parent closes "
                          "it");
    if (conv__bus_in_handler())
        return conv__fail(error, CONV_STATE, ACTION,
                          "this is within an event handler, which would wait for itself: close it "
                          "elsewhere");
    int64_t deadline = conv__deadline_in_ms(timeout_ms > 0 ? timeout_ms : 0);
    int64_t hurry_ns = atomic_load(&client->hurry_ns);
    if (hurry_ns != 0 && hurry_ns < deadline) deadline = hurry_ns;
    conv__summarizer_stop(client->summarizer);
    /* Nobody waits for the store beyond this: neither calls under way nor the library's threads. */
    stop_by(client, deadline);
    conv__bus_stop_waiting(client->bus); /* nor for handlers */
    /* Before calls are waited for, which may take all of the time. */
    conv__tracker_flush_before_close(client->tracker, deadline);
    const int64_t end_ns = conv__deadline_later(deadline, DISK_MS);
    uint64_t calls = await_calls(client, CLOSING, end_ns, 0);
    int64_t half_ns = conv__deadline_in_ms(conv__deadline_left_ms(deadline) / 2);
    if (are_handlers_alone(calls)) deliver(client, half_ns);
    calls = await_calls(client, SHUT, end_ns, conv__deadline_later(half_ns, DISK_MS));
    calls = await_drain(client, calls, deadline);
    if (all_calls(calls) > 0) return leave_to_calls(client, calls, timeout_ms, error);
    /* Draining has what is left. */
    atomic_store(&client->store->latest.moment_ns, deadline);
    conv__journal_counts remaining = {0};
    conv_error cause = CONV_ERROR_INIT;
    char journal[CONV_MESSAGE_SIZE / 2];
    snprintf(journal, sizeof journal, "%s", client->journal != NULL ? client->journal : "");
    size_t events = conv__client_destroy(client, deadline, &remaining, &cause);
    if (remaining.lost > 0)
        return conv__fail(error, CONV_UNAVAILABLE, ACTION,
                          "%lld buffered usage records could not be saved and are gone: set a "
                          "journal to keep them",
                          (long long)remaining.lost);
    if (remaining.exchanges + remaining.usage == 0 && events > 0)
        return conv__fail(
            error, CONV_TIMEOUT, ACTION,
            "%zu events did not reach their handlers in time; all that was accepted is "
            "saved",
            events);
    if (remaining.exchanges + remaining.usage == 0) return CONV_OK;
    return conv__fail(error, CONV_TIMEOUT, ACTION,
                      "%lld exchange%s and %lld usage record%s wait in the journal %s: the next "
                      "client that opens it saves them%s%s",
                      (long long)remaining.exchanges, remaining.exchanges == 1 ? "" : "s",
                      (long long)remaining.usage, remaining.usage == 1 ? "" : "s", journal,
                      cause.message[0] != '\0' ? "; they wait because " : "", cause.message);
}
