/* Notes of turns in the journal: there before the provider is asked, and when they leave it. */
#include "support/test.h"

#include <unistd.h>

#include "core/time.h"
#include "support/saving_fixture.h"

static void a_note_is_taken_back_when_its_turn_is_saved(void **state)
{
    saving_fixture *test = *state;
    conv_error error;
    conv__saving *saving = saving_open(test);
    conv__exchange exchange = saving_exchange(conv_uuid_v7());
    int64_t deadline = conv__deadline_in_ms(5000);
    assert_ok(conv__saving_note(saving, &exchange, deadline, &error), error);
    assert_int_equal(saving_count(saving).turns, 1);
    assert_int_equal(saving_count(saving).exchanges, 0);
    assert_int_equal(saving_save(saving, &exchange, true, NULL), CONV_OK);
    saving_wait_until_empty(saving);
    conv__saving_close(saving, 0, NULL, NULL);
}

static void an_interrupted_turn_stays_until_it_is_completed(void **state)
{
    saving_fixture *test = *state;
    conv_error error;
    conv__saving *saving = saving_open(test);
    conv__exchange exchange = saving_exchange(conv_uuid_v7());
    assert_ok(conv__saving_note(saving, &exchange, conv__deadline_in_ms(5000), &error), error);
    conv__saving_close(saving, 0, NULL, NULL); /* before the provider has answered */
    saving = saving_open(test);
    usleep(500000);
    assert_int_equal(saving_count(saving).turns, 1);
    assert_ok(conv__saving_note(saving, &exchange, conv__deadline_in_ms(5000), &error), error);
    assert_int_equal(saving_count(saving).turns, 1);
    assert_int_equal(saving_save(saving, &exchange, true, NULL), CONV_OK);
    saving_wait_until_empty(saving);
    conv__saving_close(saving, 0, NULL, NULL);
}

static void a_note_whose_exchange_is_stored_goes_at_the_next_start(void **state)
{
    saving_fixture *test = *state;
    conv_error error;
    conv__saving *saving = saving_open(test);
    conv__exchange exchange = saving_exchange(conv_uuid_v7());
    assert_ok(conv__saving_note(saving, &exchange, conv__deadline_in_ms(5000), &error), error);
    conv__saving_close(saving, 0, NULL, NULL);
    test->mock.existing.found = true;
    test->mock.existing.status = CONV_OUTCOME_COMPLETE;
    saving = saving_open(test);
    saving_wait_until_empty(saving);
    conv__saving_close(saving, 0, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SAVING(a_note_is_taken_back_when_its_turn_is_saved),
        WITH_SAVING(an_interrupted_turn_stays_until_it_is_completed),
        WITH_SAVING(a_note_whose_exchange_is_stored_goes_at_the_next_start),
    };
    return RUN_TESTS("saving notes", tests);
}
