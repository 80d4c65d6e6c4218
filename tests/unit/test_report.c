/* What saving tells, with a mocked store: once for each exchange, whatever became of its tries. */
#include "support/test.h"

#include <stdlib.h>
#include <unistd.h>

#include "core/time.h"
#include "events/bus.h"
#include "repositories/sqlite/journal.h"
#include "saving/saving.h"
#include "support/mock_store.h"

enum { TRIES = 16 };

static char folder[64];
static mock_store mock;
static conv__bus *bus;
static conv__saving *saving;
static pthread_mutex_t told_lock = PTHREAD_MUTEX_INITIALIZER;
static int told[CONV_EVENT_KINDS];
static conv_event last;

static void hear(void *context, const conv_event *event)
{
    (void)context;
    pthread_mutex_lock(&told_lock);
    told[event->kind]++;
    last = *event;
    pthread_mutex_unlock(&told_lock);
}

static int count_of(conv_event_kind kind)
{
    pthread_mutex_lock(&told_lock);
    int count = told[kind];
    pthread_mutex_unlock(&told_lock);
    return count;
}

static int count_all(void)
{
    int count = 0;
    for (int i = 0; i < CONV_EVENT_KINDS; i++)
        count += count_of((conv_event_kind)i);
    return count;
}

static void open_saving(bool with_journal)
{
    char path[96];
    conv_error error;
    conv__journal *journal = NULL;
    char *set_aside = NULL;
    snprintf(path, sizeof path, "%s/journal.db", folder);
    if (with_journal)
        assert_ok(conv__sqlite_journal_open(path, false, &set_aside, &journal, &error), error);
    conv__saving_params params = {.writer = {.store = &mock.store,
                                             .leaders = 1,
                                             .batch_exchanges = 8,
                                             .batch_bytes = 1 << 20,
                                             .queue_exchanges = 8},
                                  .journal = journal,
                                  .store_timeout_ms = 5000,
                                  .bus = bus};
    assert_ok(conv__saving_create(&params, &saving, &error), error);
}

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/conversation-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    mock_store_init(&mock);
    memset(told, 0, sizeof told);
    bus = conv__bus_create();
    assert_non_null(bus);
    conv__bus_set_tap(bus, hear, NULL);
    return 0;
}

static int teardown(void **state)
{
    char command[128];
    (void)state;
    conv__saving_close(saving, conv__deadline_in_ms(5000), NULL, NULL);
    saving = NULL;
    conv__bus_close(bus, conv__deadline_in_ms(5000));
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static conv__message_row message = {.message = {.role = CONV_ROLE_USER, .content = {"hi", 2}}};

static conv__exchange make_exchange(void)
{
    conv__exchange exchange = {.messages = &message, .message_count = 1, .created_us = 1000000};
    exchange.session.session_id = conv_uuid_v7();
    exchange.exchange_id = conv_uuid_v7();
    exchange.usage.usage = (conv_usage)CONV_USAGE_INIT;
    exchange.usage.usage.log_id = conv_uuid_v7();
    return exchange;
}

static conv_status save(const conv__exchange *exchange)
{
    conv__save one = {.exchange = exchange, .deadline_ns = conv__deadline_in_ms(5000)};
    return conv__saving_save(saving, &one, false);
}

static void a_commit_whose_answer_was_lost_is_told_once(void **state)
{
    (void)state;
    open_saving(false);
    conv__exchange exchange = make_exchange();
    mock.commit_errors[0] = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_RETRY, "08006");
    mock.commit_errors[0].outcome_unknown = true;
    mock.not_inserted = true;
    mock.existing_is_last = true;
    assert_int_equal(save(&exchange), CONV_OK);
    assert_int_equal(count_of(CONV_EVENT_EXCHANGE_SAVED), 1);
    assert_int_equal(count_all(), 1);
}

static void the_same_exchange_again_is_not_told_again(void **state)
{
    (void)state;
    open_saving(false);
    conv__exchange exchange = make_exchange();
    assert_int_equal(save(&exchange), CONV_OK);
    assert_int_equal(count_all(), 1);
    mock.not_inserted = true;
    mock.existing_is_last = true; /* with the same usage record, as the application gave it */
    assert_int_equal(save(&exchange), CONV_OK);
    mock.existing_is_last = false;
    mock.existing = (conv__exchange_state){.found = true, .log_id = conv_uuid_v7()};
    assert_int_equal(save(&exchange), CONV_OK);
    assert_int_equal(count_all(), 1);
}

static void a_refused_one_is_told_with_its_reason(void **state)
{
    (void)state;
    open_saving(false);
    conv__exchange exchange = make_exchange();
    mock_store_set_poison(&mock, exchange.exchange_id,
                          mock_error(CONV_BAD_DATA, CONV_RECOVERY_REJECT, "22P05"));
    assert_int_equal(save(&exchange), CONV_BAD_DATA);
    assert_int_equal(count_of(CONV_EVENT_EXCHANGE_FAILED), 1);
    assert_int_equal(count_all(), 1);
    assert_int_equal(last.status, CONV_BAD_DATA);
    assert_true(last.sqlstate[0] != '\0');
    assert_false(last.dead);
}

static void a_dead_letter_is_told_as_one(void **state)
{
    (void)state;
    open_saving(true);
    conv__exchange exchange = make_exchange();
    mock_store_set_poison(&mock, exchange.exchange_id,
                          mock_error(CONV_BAD_DATA, CONV_RECOVERY_REJECT, "22P05"));
    assert_int_equal(save(&exchange), CONV_BAD_DATA);
    assert_int_equal(count_of(CONV_EVENT_EXCHANGE_FAILED), 1);
    assert_true(last.dead);
}

/* Each try commits, and none gets its answer: the journal keeps it, and the drain finds it there.
 */
static void lost_answers_through_the_journal_are_told_once(void **state)
{
    (void)state;
    open_saving(true);
    conv__exchange exchange = make_exchange();
    mock.not_inserted = true;
    mock.existing_is_last = true;
    for (int i = 0; i < TRIES; i++) {
        mock.commit_errors[i] = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_BACKOFF, "08006");
        mock.commit_errors[i].outcome_unknown = true;
    }
    assert_int_equal(save(&exchange), CONV_OK);
    assert_int_equal(count_of(CONV_EVENT_EXCHANGE_JOURNALED), 1);
    assert_int_equal(count_of(CONV_EVENT_EXCHANGE_SAVED), 0);
    for (int i = 0; i < 4000 && count_of(CONV_EVENT_EXCHANGE_SAVED) == 0; i++)
        usleep(5000);
    conv__saving_close(saving, conv__deadline_in_ms(5000), NULL, NULL);
    saving = NULL;
    assert_int_equal(count_of(CONV_EVENT_EXCHANGE_RECOVERED), 1);
    assert_int_equal(count_of(CONV_EVENT_EXCHANGE_SAVED), 1);
    assert_int_equal(count_all(), 3);
}

static void the_same_exchange_in_the_journal_is_told_once(void **state)
{
    (void)state;
    open_saving(true);
    conv__exchange exchange = make_exchange();
    mock_store_set_away(&mock, true);
    for (int i = 0; i < 3; i++)
        assert_int_equal(save(&exchange), CONV_OK);
    assert_int_equal(count_of(CONV_EVENT_EXCHANGE_JOURNALED), 1);
    assert_int_equal(last.status, CONV_UNAVAILABLE);
    mock_store_set_away(&mock, false);
    for (int i = 0; i < 4000 && count_of(CONV_EVENT_EXCHANGE_SAVED) == 0; i++)
        usleep(5000);
    assert_int_equal(count_all(), 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_commit_whose_answer_was_lost_is_told_once),
        TEST(the_same_exchange_again_is_not_told_again),
        TEST(a_refused_one_is_told_with_its_reason),
        TEST(a_dead_letter_is_told_as_one),
        TEST(lost_answers_through_the_journal_are_told_once),
        TEST(the_same_exchange_in_the_journal_is_told_once),
    };
    return RUN_TESTS("report", tests);
}
