/* Calls enter and leave; closing keeps new ones out, stops those that wait for the store, and waits
 * until the last one has left. */
#include "client.h"

#include "core/error.h"
#include "core/process.h"
#include "core/thread.h"
#include "core/time.h"

#define ACTION "close client"

/* In client->calls. While it is closing, only handlers of events may call; once it is shut, nobody.
 */
enum { CLOSING = 1, SHUT = 2, ONE_CALL = 4 };
enum {
    DISK_MS = 1000,   /* that the local disk gets beyond a deadline */
    STOPPED_MS = 500, /* of a closing, at most: what was stopped goes into the journal */
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
    size_t before = atomic_fetch_add(&client->calls, ONE_CALL);
    if ((before & CLOSING) == 0 || ((before & SHUT) == 0 && conv__bus_in_handler())) return CONV_OK;
    conv__client_leave(client);
    return conv__fail(error, CONV_STATE, action, "the client is being closed");
}

/* Whoever closes frees the client when the last call has left, so that this one must not be touched
 * afterwards: with the lock held it can't be freed, and without CLOSING nobody waits for it. */
void conv__client_leave(conv_client *client)
{
    size_t calls = atomic_load(&client->calls);
    while ((calls & CLOSING) == 0)
        if (atomic_compare_exchange_weak(&client->calls, &calls, calls - ONE_CALL)) return;
    pthread_mutex_lock(&client->lock);
    if (atomic_fetch_sub(&client->calls, ONE_CALL) / ONE_CALL == 1)
        pthread_cond_broadcast(&client->idle);
    pthread_mutex_unlock(&client->lock);
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

/* From here on `kept_out`; gives how many calls are still under way after the deadline and the
 * disk's time. */
static size_t await_calls(conv_client *client, size_t kept_out, int64_t deadline_ns)
{
    const int64_t disk_ns = (int64_t)DISK_MS * NS_PER_MS;
    int64_t end_ns =
        deadline_ns < CONV__NO_DEADLINE - disk_ns ? deadline_ns + disk_ns : CONV__NO_DEADLINE;
    pthread_mutex_lock(&client->lock);
    atomic_fetch_or(&client->calls, kept_out);
    while (atomic_load(&client->calls) >= ONE_CALL)
        if (!conv__condition_wait(&client->idle, &client->lock, end_ns)) break;
    size_t calls = atomic_load(&client->calls) / ONE_CALL;
    pthread_mutex_unlock(&client->lock);
    return calls;
}

/* Handlers get what is true by now while they may still call the library. One that does not come to
 * its end leaves half of the time to save what waits. */
static void deliver(conv_client *client, int64_t deadline_ns)
{
    int64_t half_ns = conv__deadline_in_ms(conv__deadline_left_ms(deadline_ns) / 2);
    conv__tracker_flush_before_close(client->tracker, half_ns);
    conv__bus_settle(client->bus, half_ns);
}

static void *destroy_later(void *context)
{
    conv_client *client = context;
    (void)await_calls(client, SHUT, CONV__NO_DEADLINE);
    (void)conv__client_destroy(client, conv__deadline_in_ms(0), NULL, NULL);
    return NULL;
}

/* Calls that no store holds up, but a provider or the application. When the last one has left the
 * client goes, too, and with it the lock of its journal; without a thread to do it, never. */
static void leave_to_calls(conv_client *client)
{
    pthread_t thread;
    if (conv__thread_start(&thread, destroy_later, client)) (void)pthread_detach(thread);
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
    if (await_calls(client, CLOSING, deadline) == 0) deliver(client, deadline);
    size_t calls = await_calls(client, SHUT, deadline);
    if (calls > 0) {
        leave_to_calls(client);
        return conv__fail(error, CONV_TIMEOUT, ACTION,
                          "%zu calls were still under way after %lld ms", calls,
                          (long long)timeout_ms);
    }
    /* Draining has what is left. */
    atomic_store(&client->store->latest.moment_ns, deadline);
    conv__journal_counts remaining = {0};
    conv_error cause = CONV_ERROR_INIT;
    size_t events = conv__client_destroy(client, deadline, &remaining, &cause);
    if (remaining.lost > 0)
        return conv__fail(error, CONV_UNAVAILABLE, ACTION,
                          "%lld buffered usage records could not be saved and are gone: set a "
                          "journal to keep them",
                          (long long)remaining.lost);
    if (remaining.exchanges + remaining.usage == 0 && events > 0)
        return conv__fail(error, CONV_TIMEOUT, ACTION,
                          "%zu events did not reach their handlers in time", events);
    if (remaining.exchanges + remaining.usage == 0) return CONV_OK;
    return conv__fail(error, CONV_TIMEOUT, ACTION,
                      "%lld exchange%s and %lld usage record%s wait in the journal%s%s: the next "
                      "client that opens it saves them",
                      (long long)remaining.exchanges, remaining.exchanges == 1 ? "" : "s",
                      (long long)remaining.usage, remaining.usage == 1 ? "" : "s",
                      cause.message[0] != '\0' ? ", because " : "", cause.message);
}
