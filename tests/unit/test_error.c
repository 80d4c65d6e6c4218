/* Statuses, their names, and conv__fail. */
#include "core/error.h"
#include "support/test.h"

static void every_status_has_a_name_and_a_text(void **state)
{
    (void)state;
    for (int status = CONV_OK; status <= CONV_INTERNAL; status++) {
        assert_string_not_equal(conv_status_name((conv_status)status), "UNKNOWN");
        assert_string_not_equal(conv_status_text((conv_status)status), "unknown status");
    }
    assert_string_equal(conv_status_name(CONV_NOT_FOUND), "NOT_FOUND");
    assert_string_equal(conv_status_text(CONV_NOT_FOUND), "not found");
    assert_string_equal(conv_status_name((conv_status)99), "UNKNOWN");
    assert_string_equal(conv_status_text((conv_status)-1), "unknown status");
}

static void fail_sets_all_of_the_error(void **state)
{
    (void)state;
    conv_error error;
    memset(&error, 0x55, sizeof error);
    assert_int_equal(conv__fail(&error, CONV_NOT_FOUND, "read history", "no session %d", 7),
                     CONV_NOT_FOUND);
    assert_int_equal(error.status, CONV_NOT_FOUND);
    assert_int_equal(error.recovery, CONV_RECOVERY_NONE);
    assert_false(error.outcome_unknown);
    assert_string_equal(error.sqlstate, "");
    assert_string_equal(error.action, "read history");
    assert_string_equal(error.message, "no session 7");
}

static void fail_works_without_an_error(void **state)
{
    (void)state;
    assert_int_equal(conv__fail(NULL, CONV_LIMIT, "wait", "full"), CONV_LIMIT);
    assert_int_equal(conv__fail_memory(NULL, "wait"), CONV_NO_MEMORY);
    conv__error_clear(NULL);
}

static void a_message_is_one_line(void **state)
{
    (void)state;
    conv_error error;
    conv__fail(&error, CONV_UNAVAILABLE, "connect", "%s", "refused\n\tis it\r\x1b[31m there?\n\n");
    assert_string_equal(error.message, "refused  is it  [31m there?");
}

static void a_long_message_ends_with_dots_and_whole_characters(void **state)
{
    (void)state;
    conv_error error;
    char text[CONV_MESSAGE_SIZE + 8];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', sizeof text);
        for (size_t i = shift; i + 4 < sizeof text; i += 4) {
            memcpy(text + i, "\xF0\x9F\x98\x80", 4);
        }
        text[sizeof text - 1] = '\0';
        conv__fail(&error, CONV_BAD_DATA, "read", "%s", text);
        size_t size = strlen(error.message);
        assert_in_range(size, CONV_MESSAGE_SIZE - 8, CONV_MESSAGE_SIZE - 1);
        assert_string_equal(error.message + size - 3, "...");
        assert_memory_equal(error.message, text, size - 3);
        assert_int_equal((size - 3 - shift) % 4, 0);
    }
    char fits[CONV_MESSAGE_SIZE];
    memset(fits, 'y', sizeof fits - 1);
    fits[sizeof fits - 1] = '\0';
    conv__fail(&error, CONV_BAD_DATA, fits, "%s", fits);
    assert_string_equal(error.message, fits);
    assert_int_equal(strlen(error.action), CONV_ACTION_SIZE - 1);
    assert_string_equal(error.action + CONV_ACTION_SIZE - 4, "...");
}

static void a_message_may_be_made_of_the_error_itself(void **state)
{
    (void)state;
    conv_error error;
    conv__fail(&error, CONV_UNAVAILABLE, "connect", "refused");
    conv__fail(&error, CONV_TIMEOUT, error.action, "gave up: %s", error.message);
    assert_string_equal(error.action, "connect");
    assert_string_equal(error.message, "gave up: refused");
}

static void recovery_follows_the_status(void **state)
{
    (void)state;
    static const struct {
        conv_status status;
        conv_recovery recovery;
        bool retryable;
    } table[] = {
        {CONV_INVALID_ARGUMENT, CONV_RECOVERY_NONE, false},
        {CONV_NOT_FOUND, CONV_RECOVERY_NONE, false},
        {CONV_CONFLICT, CONV_RECOVERY_NONE, false},
        {CONV_LIMIT, CONV_RECOVERY_BACKOFF, true},
        {CONV_PERMISSION, CONV_RECOVERY_OPERATOR, false},
        {CONV_STATE, CONV_RECOVERY_OPERATOR, false},
        {CONV_BAD_DATA, CONV_RECOVERY_REJECT, false},
        {CONV_UNAVAILABLE, CONV_RECOVERY_WAIT, true},
        {CONV_TIMEOUT, CONV_RECOVERY_WAIT, true},
        {CONV_CANCELLED, CONV_RECOVERY_NONE, false},
        {CONV_PROVIDER, CONV_RECOVERY_NONE, false},
        {CONV_NO_MEMORY, CONV_RECOVERY_NONE, false},
        {CONV_INTERNAL, CONV_RECOVERY_NONE, false},
    };
    conv_error error;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        conv__fail(&error, table[i].status, "test", "x");
        assert_int_equal(error.recovery, table[i].recovery);
        assert_int_equal(conv_error_is_retryable(&error), table[i].retryable);
    }
    error.recovery = CONV_RECOVERY_RETRY;
    assert_true(conv_error_is_retryable(&error));
    conv__error_clear(&error);
    assert_int_equal(error.status, CONV_OK);
    assert_false(conv_error_is_retryable(&error));
    assert_false(conv_error_is_retryable(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_a_name_and_a_text),
        cmocka_unit_test(fail_sets_all_of_the_error),
        cmocka_unit_test(fail_works_without_an_error),
        cmocka_unit_test(a_message_is_one_line),
        cmocka_unit_test(a_long_message_ends_with_dots_and_whole_characters),
        cmocka_unit_test(a_message_may_be_made_of_the_error_itself),
        cmocka_unit_test(recovery_follows_the_status),
    };
    return RUN_TESTS("error", tests);
}
