#include "support/health_watch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "support/test.h"

enum { THREADS = 4, KEPT = 256, LIMIT_MS = 5000 };

static conv_client *client;
static conv_provider *echo;
static bool has_journal;
static atomic_bool stopped;
static atomic_long accepted;
static atomic_long refused;
static pthread_t threads[THREADS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static conv_event told[KEPT];
static int told_count;

static conv_status hear(void *context, const conv_event *event)
{
    (void)context;
    pthread_mutex_lock(&lock);
    if (told_count < KEPT) told[told_count++] = *event;
    pthread_mutex_unlock(&lock);
    return CONV_OK;
}

static void *save(void *context)
{
    (void)context;
    while (!atomic_load(&stopped)) {
        conv_reply *reply = NULL;
        conv_turn turn = CONV_TURN_INIT;
        turn.message = conv_text("a turn of a running program");
        turn.context_messages = -1;
        if (conv_process_message(client, &turn, &reply, NULL) == CONV_OK)
            atomic_fetch_add(&accepted, 1);
        else
            atomic_fetch_add(&refused, 1);
        conv_reply_free(reply);
        usleep(2000);
    }
    return NULL;
}

static void assert_count(const char *check, conv_health_state now, int wanted)
{
    int count = 0;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < told_count; i++)
        count += strcmp(told[i].check, check) == 0 && told[i].health == now;
    pthread_mutex_unlock(&lock);
    if (count != wanted)
        fail_msg("%d events that %s is %s, not %d", count, check, conv_health_state_name(now),
                 wanted);
}

static void look(conv_health_state wanted)
{
    conv_error error;
    conv_health *health = NULL;
    conv_health_params params = CONV_HEALTH_PARAMS_INIT;
    params.timeout_ms = LIMIT_MS;
    params.journal_age_ms = 600000;
    told_count = 0;
    assert_ok(conv_health_read(client, &params, &health, &error), error);
    if (conv_health_overall(health) != wanted)
        for (size_t i = 0; i < conv_health_check_count(health); i++)
            print_message("%s %s: %s\n", conv_health_check_at(health, i)->name,
                          conv_health_state_name(conv_health_check_at(health, i)->state),
                          conv_health_check_at(health, i)->message);
    assert_int_equal(conv_health_overall(health), wanted);
    assert_int_equal(conv_health_check_at(health, 0)->state, wanted);
    assert_string_equal(conv_health_check_at(health, 0)->name, "database_saves");
    assert_int_equal(conv_health_is_ready(health), wanted == CONV_HEALTH_OK);
    assert_true(conv_health_is_live(health));
    conv_health_free(health);
}

void health_watch_start(const char *url, const char *journal)
{
    conv_error error;
    uint64_t number = 0;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    conv_subscription_params subscription = CONV_SUBSCRIPTION_PARAMS_INIT;
    assert_ok(conv_provider_echo(&echo, &error), error);
    params.store = url;
    params.schema = CONV_SCHEMA_MIGRATE;
    params.provider = echo;
    params.journal = journal;
    params.store_timeout_ms = LIMIT_MS;
    params.connect_timeout_ms = 2000;
    assert_ok(conv_client_open(&params, &client, &error), error);
    subscription.handler = hear;
    subscription.kinds = CONV_EVENT_SET(CONV_EVENT_HEALTH_CHANGED);
    assert_ok(conv_event_subscribe(client, &subscription, &number, &error), error);
    has_journal = journal != NULL;
    atomic_store(&stopped, false);
    atomic_store(&accepted, 0);
    atomic_store(&refused, 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, save, NULL), 0);
    while (atomic_load(&accepted) < 20)
        usleep(1000);
    look(CONV_HEALTH_OK);
    assert_int_equal(told_count, 0);
}

void health_watch_broken(void)
{
    look(CONV_HEALTH_FAILING);
    assert_count("database_saves", CONV_HEALTH_FAILING, 1);
    assert_count("overall", CONV_HEALTH_FAILING, 1);
    look(CONV_HEALTH_FAILING);
    assert_int_equal(told_count, 0);
}

void health_watch_repaired(void)
{
    look(CONV_HEALTH_OK);
    assert_count("database_saves", CONV_HEALTH_OK, 1);
    assert_count("overall", CONV_HEALTH_OK, 1);
    look(CONV_HEALTH_OK);
    assert_int_equal(told_count, 0);
}

long health_watch_stop(void)
{
    conv_error error;
    atomic_store(&stopped, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    if (has_journal) assert_int_equal(atomic_load(&refused), 0);
    assert_ok(conv_client_close(client, 60000, &error), error);
    conv_provider_free(echo);
    client = NULL;
    return atomic_load(&accepted);
}
