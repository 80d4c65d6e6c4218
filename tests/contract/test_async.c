/* Submitting exchanges from many threads, on either store: each gets exactly one result, and what
 * the result says is so. */
#include "support/test.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/lock_holder.h"
#include "support/store.h"

enum { THREADS = 8, EACH = 40, MOST_HELD = 4096 };

static conv_client *client;

static void open_client(const char *journal)
{
    conv_client_params params = contract_client_params();
    params.journal = journal;
    client = contract_client_open(&params);
}

static int setup(void **state)
{
    if (contract_client_setup(state) != 0) return -1;
    open_client(NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)conv_client_close(client, 30000, NULL);
    client = NULL;
    return contract_client_teardown(state);
}

/* No assertion: any thread may call it. */
static conv_status submit(const char *session, const char *turn, const char *text,
                          const conv_async_params *params, conv_error *error)
{
    conv_message messages[2] = {{.role = CONV_ROLE_USER, .content = conv_text(text)},
                                {.role = CONV_ROLE_ASSISTANT, .content = conv_text("yes")}};
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    exchange.session_id = session;
    exchange.user_id = "user-1";
    exchange.turn_id = turn;
    exchange.messages = messages;
    exchange.message_count = 2;
    return conv_async_submit(client, &exchange, params, error);
}

/* What a caller gave away may be gone when it is saved. */
static conv_status submit_fleeting(int thread, int number, const conv_async_params *params)
{
    char *session = malloc(32);
    char *text = malloc(32);
    snprintf(session, 32, "thread %d", thread);
    snprintf(text, 32, "%d", number);
    conv_status status = submit(session, NULL, text, params, NULL);
    memset(session, 'x', 32);
    memset(text, 'x', 32);
    free(session);
    free(text);
    return status;
}

static atomic_int good;
static atomic_int bad;

static void on_result(void *context, const conv_async_result *result)
{
    bool fine = result->status == CONV_OK && result->saved == CONV_SAVED_COMMITTED &&
                !result->repeat && context == &good && strlen(result->turn_id) == 36;
    atomic_fetch_add(fine ? &good : &bad, 1);
}

static void *submit_many(void *context)
{
    conv_async_params params = CONV_ASYNC_PARAMS_INIT;
    params.on_result = on_result;
    params.context = &good;
    params.timeout_ms = 60000;
    for (int i = 0; i < EACH; i++)
        if (submit_fleeting(*(int *)context, i, &params) != CONV_OK) atomic_fetch_add(&bad, 1);
    return NULL;
}

static void submit_from_threads(void)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];
    atomic_store(&good, 0);
    atomic_store(&bad, 0);
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, submit_many, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* Each session has its messages in the order in which they were submitted. */
static void assert_in_order(void)
{
    open_client(NULL);
    for (int i = 0; i < THREADS; i++) {
        char session[32];
        conv_history *history = NULL;
        conv_history_params params = CONV_HISTORY_PARAMS_INIT;
        conv_error error;
        snprintf(session, sizeof session, "thread %d", i);
        params.session_id = session;
        params.limit = 2 * EACH;
        assert_ok(conv_history_read(client, &params, &history, &error), error);
        assert_int_equal(conv_history_count(history), 2 * EACH);
        for (int k = 0; k < EACH; k++) {
            char text[32];
            snprintf(text, sizeof text, "%d", k);
            assert_bytes(conv_history_message(history, (size_t)(2 * k))->content, text);
        }
        conv_history_free(history);
    }
}

static void closing_saves_all_that_was_submitted(void **state)
{
    (void)state;
    submit_from_threads();
    contract_client_close(&client); /* most are pending still */
    assert_int_equal(atomic_load(&bad), 0);
    assert_int_equal(atomic_load(&good), THREADS * EACH);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_exchanges"), THREADS * EACH);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs"), THREADS * EACH);
    assert_int_equal(contract_count("SELECT sum(message_count) FROM chat_sessions"),
                     2 * THREADS * EACH);
    assert_in_order();
}

static void await_result(int descriptor, conv_async_result *result)
{
    struct pollfd readable = {.fd = descriptor, .events = POLLIN};
    conv_error error;
    assert_int_equal(poll(&readable, 1, 60000), 1);
    assert_ok(conv_async_next(client, result, &error), error);
}

static void a_descriptor_says_when_results_are_there(void **state)
{
    (void)state;
    int descriptor = -1;
    int mark = 0;
    conv_error error;
    conv_async_result result;
    conv_async_params params = CONV_ASYNC_PARAMS_INIT;
    params.context = &mark;
    assert_status(conv_async_next(client, &result, &error), CONV_NOT_FOUND, error);
    assert_ok(conv_async_descriptor(client, &descriptor, &error), error);
    struct pollfd readable = {.fd = descriptor, .events = POLLIN};
    assert_int_equal(poll(&readable, 1, 0), 0);
    for (int i = 0; i < 10; i++)
        assert_ok(submit("poll", NULL, "text", &params, &error), error);
    for (int i = 0; i < 10; i++) {
        await_result(descriptor, &result);
        assert_ok(result.status, result.error);
        assert_ptr_equal(result.context, &mark);
        assert_int_equal(result.saved, CONV_SAVED_COMMITTED);
    }
    assert_int_equal(poll(&readable, 1, 0), 0);
    assert_status(conv_async_next(client, &result, &error), CONV_NOT_FOUND, error);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_exchanges"), 10);
}

static void each_gets_its_own_result(void **state)
{
    (void)state;
    int descriptor = -1;
    int marks[4];
    conv_error error;
    conv_async_params params = CONV_ASYNC_PARAMS_INIT;
    static const char *const texts[4] = {"one", "one", "other", "two"};
    static const char *const turns[4] = {"turn", "turn", "turn", "turn-2"};
    assert_ok(conv_async_descriptor(client, &descriptor, &error), error);
    for (int i = 0; i < 4; i++) {
        params.context = &marks[i];
        assert_ok(submit("own", turns[i], texts[i], &params, &error), error);
    }
    for (int i = 0; i < 4; i++) {
        conv_async_result result;
        await_result(descriptor, &result);
        long which = (int *)result.context - marks;
        assert_int_equal(result.status, which == 2 ? CONV_CONFLICT : CONV_OK);
        assert_int_equal(result.saved, which == 2 ? CONV_SAVED_NOT : CONV_SAVED_COMMITTED);
        assert_int_equal(result.repeat, which == 1);
    }
    assert_int_equal(contract_count("SELECT count(*) FROM chat_exchanges"), 2);
}

static void what_can_not_be_saved_is_refused_at_once(void **state)
{
    (void)state;
    conv_error error;
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    conv_async_params params = CONV_ASYNC_PARAMS_INIT;
    assert_status(conv_async_submit(client, NULL, NULL, &error), CONV_INVALID_ARGUMENT, error);
    assert_status(conv_async_submit(client, &exchange, NULL, &error), CONV_INVALID_ARGUMENT, error);
    exchange.message_count = 3;
    assert_status(conv_async_submit(client, &exchange, NULL, &error), CONV_INVALID_ARGUMENT, error);
    params.size = 1;
    assert_status(submit("s", NULL, "t", &params, &error), CONV_INVALID_ARGUMENT, error);
    conv_async_result result;
    assert_status(conv_async_next(client, &result, &error), CONV_NOT_FOUND, error);
    assert_status(conv_async_next(client, NULL, &error), CONV_INVALID_ARGUMENT, error);
    assert_status(conv_async_descriptor(client, NULL, &error), CONV_INVALID_ARGUMENT, error);
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_int passed;
static atomic_int refused;

/* Waits until the test lets it pass; then tries to submit more, which must not wait. */
static void on_gated(void *context, const conv_async_result *result)
{
    conv_async_params params = CONV_ASYNC_PARAMS_INIT;
    (void)result;
    params.timeout_ms = INT64_MAX;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    if (context == &refused && submit("more", NULL, "t", &params, NULL) == CONV_LIMIT)
        atomic_fetch_add(&refused, 1);
    atomic_fetch_add(&passed, 1);
}

static void a_full_queue_pushes_back(void **state)
{
    (void)state;
    conv_error error;
    conv_async_params params = CONV_ASYNC_PARAMS_INIT;
    atomic_store(&passed, 0);
    atomic_store(&refused, 0);
    params.on_result = on_gated;
    params.context = &refused;
    pthread_mutex_lock(&gate);
    for (int i = 0; i < MOST_HELD; i++) {
        assert_ok(submit("full", NULL, "text", &params, &error), error);
        params.context = NULL;
    }
    assert_status(submit("full", NULL, "text", &params, &error), CONV_LIMIT, error);
    params.timeout_ms = 10;
    assert_status(submit("full", NULL, "text", &params, &error), CONV_LIMIT, error);
    pthread_mutex_unlock(&gate);
    params.timeout_ms = 60000; /* waits for room */
    assert_ok(submit("full", NULL, "text", &params, &error), error);
    contract_client_close(&client);
    assert_int_equal(atomic_load(&refused), 1);
    assert_int_equal(atomic_load(&passed), MOST_HELD + 1);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_exchanges"), MOST_HELD + 1);
    open_client(NULL);
}

static void what_the_store_misses_waits_in_the_journal(void **state)
{
    (void)state;
    conv_error error;
    conv_async_result result;
    int descriptor = -1;
    contract_client_close(&client);
    open_client(contract_client_journal());
    assert_ok(conv_async_descriptor(client, &descriptor, &error), error);
    contract_execute("ALTER TABLE chat_exchanges RENAME TO away");
    for (int i = 0; i < EACH; i++)
        assert_int_equal(submit_fleeting(0, i, NULL), CONV_OK);
    for (int i = 0; i < EACH; i++) {
        await_result(descriptor, &result);
        assert_ok(result.status, result.error);
        assert_int_equal(result.saved, CONV_SAVED_JOURNALED);
    }
    /* And what nobody waits for: closing puts it there. */
    for (int i = 0; i < EACH; i++)
        assert_int_equal(submit_fleeting(1, i, NULL), CONV_OK);
    conv_client *closing = client;
    client = NULL;
    assert_status(conv_client_close(closing, 2000, &error), CONV_TIMEOUT, error);
    assert_non_null(strstr(error.message, "80 exchanges"));
    contract_execute("ALTER TABLE away RENAME TO chat_exchanges");
    open_client(contract_client_journal());
    contract_client_close(&client);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_exchanges"), 2 * EACH);
    open_client(NULL);
    for (int i = 0; i < 2; i++) {
        conv_history *history = NULL;
        conv_history_params params = CONV_HISTORY_PARAMS_INIT;
        params.session_id = i == 0 ? "thread 0" : "thread 1";
        assert_ok(conv_history_read(client, &params, &history, &error), error);
        for (int k = 0; k < EACH; k++) {
            char text[32];
            snprintf(text, sizeof text, "%d", k);
            assert_bytes(conv_history_message(history, (size_t)(2 * k))->content, text);
        }
        conv_history_free(history);
    }
}

static void *save_one(void *context)
{
    conv_message message = {.role = CONV_ROLE_USER, .content = conv_text("by a call")};
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    conv_reply *reply = NULL;
    exchange.session_id = "of a call";
    exchange.messages = &message;
    exchange.message_count = 1;
    *(conv_status *)context = conv_save_exchange(client, &exchange, &reply, NULL);
    conv_reply_free(reply);
    return NULL;
}

static void on_kept(void *context, const conv_async_result *result)
{
    bool kept = result->status == CONV_OK && result->saved == CONV_SAVED_JOURNALED;
    (void)context;
    atomic_fetch_add(kept ? &good : &bad, 1);
}

/* Nobody can save until the lock is let go, which is after closing. `journal` NULL: none. */
static void close_while_nothing_can_be_saved(const char *journal, conv_status *called,
                                             conv_error *error)
{
    pthread_t caller;
    conv_async_params params = CONV_ASYNC_PARAMS_INIT;
    params.on_result = on_kept;
    params.context = &good;
    atomic_store(&good, 0);
    atomic_store(&bad, 0);
    contract_client_close(&client);
    open_client(journal);
    lock_holder holder = lock_holder_take(contract_client_url());
    for (int i = 0; i < THREADS; i++) /* more than one transaction takes */
        for (int k = 0; k < EACH; k++)
            assert_int_equal(submit_fleeting(i, k, &params), CONV_OK);
    assert_int_equal(pthread_create(&caller, NULL, save_one, called), 0);
    usleep(300000);
    conv_client *closing = client;
    (void)conv_client_close(closing, 2000, error);
    lock_holder_release(&holder);
    pthread_join(caller, NULL);
    client = NULL;
}

static void closing_takes_what_waits_for_the_store_into_the_journal(void **state)
{
    (void)state;
    conv_error error;
    conv_status called = CONV_INTERNAL;
    close_while_nothing_can_be_saved(contract_client_journal(), &called, &error);
    assert_status(error.status, CONV_TIMEOUT, error);
    if (strstr(error.message, "321 exchanges and 0 usage records wait") == NULL)
        fail_msg("%s", error.message);
    assert_int_equal(called, CONV_OK);
    assert_int_equal(atomic_load(&good), THREADS * EACH);
    assert_int_equal(atomic_load(&bad), 0);
    open_client(contract_client_journal()); /* which nobody has locked any more */
    contract_client_close(&client);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_exchanges"), THREADS * EACH + 1);
    open_client(NULL);
}

static void closing_answers_what_waits_for_the_store(void **state)
{
    (void)state;
    conv_error error;
    conv_status called = CONV_OK;
    close_while_nothing_can_be_saved(NULL, &called, &error);
    assert_ok(error.status, error);
    assert_int_not_equal(called, CONV_OK);
    assert_int_equal(atomic_load(&good), 0);
    assert_int_equal(atomic_load(&bad), THREADS * EACH);
    open_client(NULL); /* what was sent already may be there: such a result says so */
}

/* Uncollected results go with the client. */
static void nobody_has_to_collect(void **state)
{
    (void)state;
    conv_error error;
    for (int i = 0; i < 5; i++)
        assert_ok(submit("lonely", NULL, "text", NULL, &error), error);
    contract_client_close(&client);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_exchanges"), 5);
    open_client(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(closing_saves_all_that_was_submitted),
        TEST(a_descriptor_says_when_results_are_there),
        TEST(each_gets_its_own_result),
        TEST(what_can_not_be_saved_is_refused_at_once),
        TEST(a_full_queue_pushes_back),
        TEST(what_the_store_misses_waits_in_the_journal),
        TEST(closing_takes_what_waits_for_the_store_into_the_journal),
        TEST(closing_answers_what_waits_for_the_store),
        TEST(nobody_has_to_collect),
#undef TEST
    };
    return RUN_TESTS("async", tests);
}
