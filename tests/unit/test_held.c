/* What is held back in the journal, and for how long. */
#include "support/test.h"

#include "core/time.h"
#include "saving/held.h"

static const conv_uuid first = {{1}};
static const conv_uuid second = {{2}};

static void what_is_held_is_due_later_and_later(void **state)
{
    (void)state;
    conv__held held = {.count = 0};
    assert_int_equal(conv__held_until(&held), CONV__NO_DEADLINE);
    int64_t pause = 0;
    for (int i = 0; i < 8; i++) {
        assert_true(conv__held_add(&held, first));
        int64_t next = conv__held_until(&held) - conv__monotonic_ns();
        assert_true(next > pause / 2);
        assert_true(next <= INT64_C(10000000000));
        pause = next;
    }
    assert_true(pause > INT64_C(8000000000));
    assert_int_equal(held.count, 1);
    conv__held_free(&held);
}

static void assert_named(const conv__held *held, const char *expected)
{
    conv__buffer json = {0};
    conv__held_append(held, &json);
    assert_string_equal(json.data, expected);
    conv__buffer_free(&json);
}

static void those_that_are_due_are_not_named(void **state)
{
    (void)state;
    conv__held held = {.count = 0};
    assert_named(&held, "[]");
    assert_true(conv__held_add(&held, first));
    assert_true(conv__held_add(&held, second));
    assert_named(&held, "[\"01000000-0000-0000-0000-000000000000\","
                        "\"02000000-0000-0000-0000-000000000000\"]");
    held.all[0].retry_at_ns = conv__monotonic_ns();
    assert_named(&held, "[\"02000000-0000-0000-0000-000000000000\"]");
    conv__held_release(&held, second);
    conv__held_release(&held, second);
    assert_named(&held, "[]");
    conv__held_free(&held);
}

static void too_many_are_no_matter_of_rows(void **state)
{
    (void)state;
    conv__held held = {.count = 0};
    for (int i = 0; i < CONV__HELD_AT_MOST; i++)
        assert_true(conv__held_add(&held, conv_uuid_v7()));
    assert_false(conv__held_add(&held, first));
    assert_true(conv__held_add(&held, held.all[5].id));
    conv__held_release(&held, held.all[5].id);
    assert_true(conv__held_add(&held, first));
    conv__held_free(&held);
}

static void those_that_were_due_and_not_met_are_forgotten(void **state)
{
    (void)state;
    conv__held held = {.count = 0};
    for (int i = 0; i < 5; i++)
        assert_true(conv__held_add(&held, (conv_uuid){{(uint8_t)i}}));
    held.all[1].retry_at_ns = 7;
    held.all[3].retry_at_ns = 6;
    held.all[4].retry_at_ns = 8;
    conv__held_forget(&held, 7);
    assert_int_equal(held.count, 3);
    assert_int_equal(conv__held_until(&held), 8);
    conv__held_forget(&held, INT64_MAX);
    assert_int_equal(held.count, 0);
    conv__held_free(&held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_held_is_due_later_and_later),
        cmocka_unit_test(those_that_are_due_are_not_named),
        cmocka_unit_test(too_many_are_no_matter_of_rows),
        cmocka_unit_test(those_that_were_due_and_not_met_are_forgotten),
    };
    return RUN_TESTS("held", tests);
}
