/* What is brought again under an id that the journal holds, while the journal changes beside it. */
#include "support/test.h"

#include <string.h>
#include <unistd.h>

#include "core/time.h"
#include "saving/saving_internal.h"
#include "support/saving_fixture.h"

/* A journal's functions, of which one does something first. */
static struct {
    conv__journal_functions functions;
    const conv__journal_functions *own;
    saving_fixture *test;
    conv__saving *saving;
    int finds;
    int looks; /* how large it is */
    int writes;
} hooked;

/* The journal is empty a moment before that is counted. */
static void wait_until_none_waits(conv__saving *saving)
{
    saving_wait_until_empty(saving);
    for (int i = 0; i < 5000 && conv__saving_waiting(saving) > 0; i++)
        usleep(1000);
    assert_int_equal(conv__saving_waiting(saving), 0);
}

/* What was found has gone when it is looked for: it was drained. */
static conv_status find_drained(conv__journal *journal, conv_uuid session_id, conv_uuid item_id,
                                bool is_usage, int64_t deadline_ns, conv__arena *arena,
                                conv__journal_entry *entry, conv_error *error)
{
    conv_status status =
        hooked.own->find(journal, session_id, item_id, is_usage, deadline_ns, arena, entry, error);
    if (hooked.finds++ > 0) return status;
    mock_store_set_away(&hooked.test->mock, false);
    saving_wait_for_saved(hooked.test, 1);
    wait_until_none_waits(hooked.saving);
    mock_store_set_away(&hooked.test->mock, true);
    return status;
}

/* It has gone just before: it was swept. */
static conv_status find_swept(conv__journal *journal, conv_uuid session_id, conv_uuid item_id,
                              bool is_usage, int64_t deadline_ns, conv__arena *arena,
                              conv__journal_entry *entry, conv_error *error)
{
    conv__journal_change change = {
        .what = CONV__JOURNAL_REMOVE,
        .entry = {.kind = CONV__JOURNAL_TURN, .session_id = session_id, .item_id = item_id}};
    if (hooked.finds++ == 0)
        assert_int_equal(hooked.own->apply(journal, &change, 1, deadline_ns, NULL), CONV_OK);
    return hooked.own->find(journal, session_id, item_id, is_usage, deadline_ns, arena, entry,
                            error);
}

static int64_t count_looks(conv__journal *journal)
{
    hooked.looks++;
    return hooked.own->bytes(journal);
}

static conv_status count_writes(conv__journal *journal, conv__journal_change *changes, size_t count,
                                int64_t deadline_ns, conv_error *error)
{
    hooked.writes++;
    return hooked.own->apply(journal, changes, count, deadline_ns, error);
}

static void hook(conv__journal *journal)
{
    hooked.own = journal->functions;
    conv__journal_functions wanted = hooked.functions;
    hooked.functions = *hooked.own;
    if (wanted.find != NULL) hooked.functions.find = wanted.find;
    if (wanted.apply != NULL) hooked.functions.apply = wanted.apply;
    if (wanted.bytes != NULL) hooked.functions.bytes = wanted.bytes;
    journal->functions = &hooked.functions;
}

static conv__saving *open_hooked(saving_fixture *test, conv__journal_functions wanted,
                                 int64_t journal_bytes)
{
    memset(&hooked, 0, sizeof hooked);
    hooked.test = test;
    hooked.functions = wanted;
    test->on_journal = hook;
    hooked.saving = saving_open_with(test, (conv__saving_params){.journal_bytes = journal_bytes});
    test->on_journal = NULL;
    return hooked.saving;
}

/* Counted as waiting it is drained; else it would be there until the next start, and be overtaken.
 */
static void a_repetition_whose_failed_attempt_was_drained_meanwhile_is_drained(void **state)
{
    saving_fixture *test = *state;
    conv__saving *saving = open_hooked(test, (conv__journal_functions){.find = find_drained}, 0);
    (void)saving_answer_after_failure(test, saving);
    assert_int_equal(saving_count(saving).exchanges, 1);
    assert_int_equal(conv__saving_waiting(saving), 1);
    mock_store_set_away(&test->mock, false);
    saving_wait_for_saved(test, 2);
    wait_until_none_waits(saving);
    conv__saving_close(saving, 0, NULL, NULL);
}

static void a_note_that_was_swept_meanwhile_is_made_anew(void **state)
{
    saving_fixture *test = *state;
    conv_error error;
    conv__saving *saving = open_hooked(test, (conv__journal_functions){.find = find_swept}, 0);
    conv__exchange exchange = saving_exchange(conv_uuid_v7());
    for (int i = 0; i < 2; i++)
        assert_ok(conv__saving_note(saving, &exchange, conv__deadline_in_ms(5000), &error), error);
    assert_int_equal(hooked.finds, 1);
    assert_int_equal(saving_count(saving).turns, 1);
    conv__saving_close(saving, 0, NULL, NULL);
}

static conv__saving *open_with_letter(saving_fixture *test, const conv__exchange *exchange)
{
    conv__saving *saving = saving_open(test);
    mock_store_set_poison(&test->mock, exchange->exchange_id,
                          mock_error(CONV_BAD_DATA, CONV_RECOVERY_REJECT, "22P05"));
    assert_int_equal(saving_save(saving, exchange, false, NULL), CONV_BAD_DATA);
    assert_int_equal(saving_count(saving).dead, 1);
    return saving;
}

/* The letter holds the text of the same turn; another text would be noted nowhere. */
static void a_note_beside_a_dead_letter_must_say_the_same(void **state)
{
    saving_fixture *test = *state;
    conv_error error;
    conv__exchange exchange = saving_with_request(saving_exchange(conv_uuid_v7()), 1);
    conv__exchange other = saving_with_request(exchange, 2);
    conv__saving *saving = open_with_letter(test, &exchange);
    int64_t deadline = conv__deadline_in_ms(5000);
    assert_ok(conv__saving_note(saving, &exchange, deadline, &error), error);
    assert_status(conv__saving_note(saving, &other, deadline, &error), CONV_CONFLICT, error);
    assert_non_null(strstr(error.message, "dead letter"));
    conv__saving_close(saving, 0, NULL, NULL);
}

/* That the store refused it before does not say what it does now, nor what became of a COMMIT. */
static void a_dead_letter_answers_no_open_question(void **state)
{
    saving_fixture *test = *state;
    conv__exchange exchange = saving_with_request(saving_exchange(conv_uuid_v7()), 1);
    conv__saving *saving = open_with_letter(test, &exchange);
    for (int unknown = 0; unknown < 2; unknown++) {
        conv_error cause = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_WAIT, "");
        conv__save save = {.exchange = &exchange, .deadline_ns = conv__deadline_in_ms(5000)};
        cause.outcome_unknown = unknown == 1;
        assert_int_equal(conv__saving_keep(saving, &save, &cause), CONV_UNAVAILABLE);
        assert_int_equal(save.error.recovery, CONV_RECOVERY_WAIT);
        assert_int_equal(save.error.outcome_unknown, unknown == 1);
        assert_non_null(strstr(save.error.message, "dead letter"));
    }
    conv__saving_close(saving, 0, NULL, NULL);
}

/* Of a session no turn is skipped, nor where the journal and not the store refuses one. */
static void nothing_goes_past_one_that_a_dead_letter_holds_back(void **state)
{
    enum { COUNT = 3 };
    saving_fixture *test = *state;
    conv_uuid session = conv_uuid_v7();
    conv__exchange exchanges[COUNT] = {saving_exchange(session), saving_exchange(session),
                                       saving_exchange(conv_uuid_v7())};
    conv__saving *saving = open_with_letter(test, &exchanges[0]);
    conv_error away = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_WAIT, "");
    const conv_error *causes[COUNT] = {&away, &away, &away};
    conv__save saves[COUNT];
    conv__save *all[COUNT];
    for (int i = 0; i < COUNT; i++) {
        saves[i] = (conv__save){
            .exchange = &exchanges[i], .in_order = true, .deadline_ns = conv__deadline_in_ms(5000)};
        all[i] = &saves[i];
    }
    mock_store_set_away(&test->mock, true);
    conv__saving_keep_many(saving, all, causes, COUNT);
    assert_int_equal(saves[0].status, CONV_UNAVAILABLE);
    assert_int_equal(saves[1].status, CONV_UNAVAILABLE);
    assert_non_null(strstr(saves[1].error.message, "not tried"));
    assert_int_equal(saves[2].status, CONV_OK);
    assert_int_equal(saving_count(saving).exchanges, 1);
    conv__saving_close(saving, 0, NULL, NULL);
}

/* The disk has its own time beyond the caller's, but for writing, not for waiting. */
static void nobody_waits_for_room_beyond_the_deadline(void **state)
{
    saving_fixture *test = *state;
    conv__saving *saving = open_hooked(test, (conv__journal_functions){.bytes = count_looks}, 1000);
    conv__exchange exchange = saving_exchange(conv_uuid_v7());
    conv__save save = {.exchange = &exchange, .deadline_ns = conv__deadline_in_ms(0)};
    conv__save *one = &save;
    const conv_error *cause = NULL;
    hooked.looks = 0;
    assert_int_equal(conv__saving_keep(saving, &save, NULL), CONV_LIMIT);
    conv__saving_keep_many(saving, &one, &cause, 1);
    assert_int_equal(save.status, CONV_LIMIT);
    assert_int_equal(hooked.looks, 4); /* each whether there is room, and which limit it is */
    conv__saving_close(saving, 0, NULL, NULL);
}

/* Each by itself would sync for itself, and take longer than a call may. */
static void letters_of_one_call_are_one_write(void **state)
{
    enum { COUNT = 3 };
    saving_fixture *test = *state;
    conv__saving *saving = open_hooked(test, (conv__journal_functions){.apply = count_writes}, 0);
    conv__exchange exchanges[COUNT];
    conv__save saves[COUNT];
    conv__save *all[COUNT];
    for (int i = 0; i < COUNT; i++) {
        exchanges[i] = saving_exchange(conv_uuid_v7());
        saves[i] = (conv__save){.exchange = &exchanges[i],
                                .status = CONV_BAD_DATA,
                                .error = mock_error(CONV_BAD_DATA, CONV_RECOVERY_REJECT, "22P05")};
        all[i] = &saves[i];
    }
    hooked.writes = 0;
    conv__saving_keep_dead(saving, all, COUNT);
    assert_int_equal(hooked.writes, 1);
    for (int i = 0; i < COUNT; i++) {
        assert_true(saves[i].dead);
        assert_string_equal(saves[i].error.sqlstate, "22P05");
        assert_non_null(strstr(saves[i].error.message, "kept as a dead letter"));
    }
    assert_int_equal(saving_count(saving).dead, COUNT);
    conv__saving_close(saving, 0, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SAVING(a_repetition_whose_failed_attempt_was_drained_meanwhile_is_drained),
        WITH_SAVING(a_note_that_was_swept_meanwhile_is_made_anew),
        WITH_SAVING(a_note_beside_a_dead_letter_must_say_the_same),
        WITH_SAVING(a_dead_letter_answers_no_open_question),
        WITH_SAVING(nothing_goes_past_one_that_a_dead_letter_holds_back),
        WITH_SAVING(nobody_waits_for_room_beyond_the_deadline),
        WITH_SAVING(letters_of_one_call_are_one_write),
    };
    return RUN_TESTS("saving again", tests);
}
