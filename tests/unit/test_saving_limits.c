/* The journal's limits, of bytes and of age: who meets them, and how they are left again. */
#include "support/test.h"

#include <string.h>
#include <unistd.h>

#include "core/time.h"
#include "support/saving_fixture.h"

static void a_full_journal_pushes_back(void **state)
{
    saving_fixture *test = *state;
    conv_error error;
    conv__saving *saving = saving_open_with(test, (conv__saving_params){.journal_bytes = 1000});
    conv__exchange exchange = saving_exchange(conv_uuid_v7());
    assert_status(conv__saving_note(saving, &exchange, conv__deadline_in_ms(100), &error),
                  CONV_LIMIT, error);
    mock_store_set_away(&test->mock, true);
    assert_int_equal(saving_save(saving, &exchange, false, NULL), CONV_LIMIT);
    conv__saving_close(saving, 0, NULL, NULL);
}

static void a_journal_that_was_full_has_room_once_it_is_drained(void **state)
{
    saving_fixture *test = *state;
    conv_error error;
    conv__saving *saving = saving_open_with(test, (conv__saving_params){.journal_bytes = 90000});
    conv_status status = CONV_OK;
    mock_store_set_away(&test->mock, true);
    for (int i = 0; i < 500 && status == CONV_OK; i++) {
        conv__exchange exchange = saving_exchange(conv_uuid_v7());
        conv__save one = {.exchange = &exchange, .deadline_ns = conv__deadline_in_ms(20)};
        status = conv__saving_save(saving, &one, false);
    }
    assert_int_equal(status, CONV_LIMIT);
    mock_store_set_away(&test->mock, false);
    conv__exchange last = saving_exchange(conv_uuid_v7());
    /* Waits until the drain has made room. */
    assert_ok(conv__saving_note(saving, &last, conv__deadline_in_ms(20000), &error), error);
    conv__saving_close(saving, conv__deadline_in_ms(20000), NULL, NULL);
}

static void what_has_waited_too_long_pushes_back(void **state)
{
    saving_fixture *test = *state;
    conv_error error;
    conv__saving *saving = saving_open_with(test, (conv__saving_params){.journal_age_ms = 30});
    conv__exchange first = saving_exchange(conv_uuid_v7());
    conv__exchange second = saving_exchange(conv_uuid_v7());
    mock_store_set_away(&test->mock, true);
    assert_int_equal(saving_save(saving, &first, false, NULL), CONV_OK);
    usleep(40000);
    /* Time to see how old it is; who can't see that is not kept out. */
    conv__save late = {.exchange = &second, .deadline_ns = conv__deadline_in_ms(500)};
    assert_int_equal(conv__saving_save(saving, &late, false), CONV_LIMIT);
    mock_store_set_away(&test->mock, false);
    /* Waits until what is old has left. */
    assert_ok(conv__saving_note(saving, &second, conv__deadline_in_ms(20000), &error), error);
    assert_int_equal(mock_store_saved(&test->mock), 1);
    conv__saving_close(saving, 0, NULL, NULL);
}

/* A person who must mend something may take long; the others have nothing to wait for. */
static void what_waits_for_a_person_pushes_nobody_back(void **state)
{
    saving_fixture *test = *state;
    conv_error error;
    conv__saving *saving = saving_open_with(test, (conv__saving_params){.journal_age_ms = 30});
    conv__exchange first = saving_exchange(conv_uuid_v7());
    conv__exchange second = saving_exchange(conv_uuid_v7());
    mock_store_set_poison(&test->mock, first.exchange_id,
                          mock_error(CONV_PERMISSION, CONV_RECOVERY_OPERATOR, "42501"));
    assert_int_equal(saving_save(saving, &first, false, NULL), CONV_OK);
    /* More than the limit, and as long as it is held it does not count. */
    for (int i = 0; i < 5; i++) {
        usleep(40000);
        assert_ok(conv__saving_note(saving, &second, conv__deadline_in_ms(20000), &error), error);
    }
    assert_int_equal(saving_count(saving).exchanges, 1);
    conv__saving_close(saving, 0, NULL, NULL);
}

static void dead_letters_keep_to_the_limit(void **state)
{
    saving_fixture *test = *state;
    conv__saving *saving = saving_open_with(test, (conv__saving_params){.journal_bytes = 200000});
    int kept = 0;
    int refused = 0;
    for (; refused < 2000; refused++) {
        conv__exchange exchange = saving_exchange(conv_uuid_v7());
        conv__save one = {.exchange = &exchange, .deadline_ns = conv__deadline_in_ms(5000)};
        mock_store_set_poison(&test->mock, exchange.exchange_id,
                              mock_error(CONV_BAD_DATA, CONV_RECOVERY_REJECT, "22P05"));
        assert_int_equal(conv__saving_save(saving, &one, false), CONV_BAD_DATA);
        assert_non_null(strstr(one.error.message, one.dead ? "kept as" : "the journal is full"));
        kept += one.dead;
    }
    assert_true(kept > 0);
    assert_true(kept < refused);
    assert_int_equal(saving_count(saving).dead, kept);
    /* Whoever finds no room hears what fills it. */
    conv_error error;
    conv__exchange exchange = saving_exchange(conv_uuid_v7());
    assert_status(conv__saving_note(saving, &exchange, conv__deadline_in_ms(50), &error),
                  CONV_LIMIT, error);
    assert_non_null(strstr(error.message, "200000 bytes"));
    assert_non_null(strstr(error.message, "drop the dead letters"));
    conv__saving_close(saving, 0, NULL, NULL);
}

static void usage_records_keep_to_the_limit(void **state)
{
    saving_fixture *test = *state;
    conv__saving *saving = saving_open_with(test, (conv__saving_params){.journal_bytes = 200000});
    conv_error away = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_WAIT, "");
    conv_error error = CONV_ERROR_INIT;
    char bytes[1000] = "";
    conv_status status = CONV_OK;
    int kept = 0;
    mock_store_set_away(&test->mock, true);
    for (; status == CONV_OK && kept < 2000; kept++) {
        conv__usage_row row = {.usage = CONV_USAGE_INIT};
        row.usage.log_id = conv_uuid_v7();
        conv__usage_kept one = {&row, conv_view(bytes, sizeof bytes), &away};
        status = conv__saving_keep_usage(saving, &one, 1, conv__deadline_in_ms(5000), &error);
    }
    assert_status(status, CONV_LIMIT, error);
    assert_in_range(kept, 10, 500);
    conv__saving_close(saving, 0, NULL, NULL);
}

/* However long who waits for room had meant to wait. */
static void a_client_that_is_being_closed_waits_for_no_room(void **state)
{
    saving_fixture *test = *state;
    conv__saving_params params[2] = {{.journal_bytes = 1000}, {.journal_age_ms = 1}};
    for (size_t i = 0; i < 2; i++) {
        conv_error error = CONV_ERROR_INIT;
        conv__saving *saving = saving_open_with(test, params[i]);
        int64_t deadline = conv__deadline_in_ms(20000);
        mock_store_set_away(&test->mock, true);
        if (i == 1) {
            conv__exchange old = saving_exchange(conv_uuid_v7());
            assert_int_equal(saving_save(saving, &old, false, NULL), CONV_OK);
            usleep(2000);
        }
        conv_error away = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_WAIT, "");
        conv__usage_row row = {.usage = CONV_USAGE_INIT};
        conv__usage_kept one = {&row, conv_text("record"), &away};
        atomic_store(&test->mock.store.latest.moment_ns, conv__monotonic_ns());
        assert_status(conv__saving_keep_usage(saving, &one, 1, deadline, &error), CONV_LIMIT,
                      error);
        assert_false(conv__deadline_passed(deadline));
        conv__saving_close(saving, 0, NULL, NULL);
        atomic_store(&test->mock.store.latest.moment_ns, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SAVING(a_full_journal_pushes_back),
        WITH_SAVING(a_journal_that_was_full_has_room_once_it_is_drained),
        WITH_SAVING(what_has_waited_too_long_pushes_back),
        WITH_SAVING(what_waits_for_a_person_pushes_nobody_back),
        WITH_SAVING(dead_letters_keep_to_the_limit),
        WITH_SAVING(usage_records_keep_to_the_limit),
        WITH_SAVING(a_client_that_is_being_closed_waits_for_no_room),
    };
    return RUN_TESTS("saving limits", tests);
}
