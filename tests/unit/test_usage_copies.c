/* Usage records copied one behind the other: they come back as they were, in order, also when their
 * memory is used again. */
#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "saving/usage_copies.h"
#include "support/failing_memory.h"

enum { MANY = 1000 };

static conv_usage record(int number, char text[32])
{
    conv_usage usage = CONV_USAGE_INIT;
    snprintf(text, 32, "record %d", number);
    usage.input_tokens = number;
    usage.session_id = conv_text(text);
    usage.error = conv_view(text, 0);
    usage.metadata = conv_view(text, 6);
    return usage;
}

static void fill(conv__usage_copies *copies, int from)
{
    for (int i = 0; i < MANY; i++) {
        char text[32];
        conv_usage usage = record(from + i, text);
        size_t before = copies->bytes;
        assert_true(conv__usage_copies_add(copies, &usage, i % 2 == 0 ? copies : NULL));
        assert_int_equal(copies->bytes - before, conv__usage_copy_size(&usage));
        memset(text, 'x', sizeof text); /* the caller's own is not needed any more */
    }
}

static void check(const conv__usage_copies *copies, int from)
{
    conv__usage_place place = {0};
    for (int i = 0; i < MANY; i++) {
        char text[32];
        conv_usage expected = record(from + i, text);
        const conv__usage_copy *copy = conv__usage_copies_next(copies, &place);
        assert_non_null(copy);
        assert_int_equal(copy->usage.input_tokens, from + i);
        assert_true(conv_bytes_equal(copy->usage.session_id, expected.session_id));
        assert_non_null(copy->usage.error.data);
        assert_int_equal(copy->usage.error.size, 0);
        assert_true(conv_bytes_equal(copy->usage.metadata, conv_text("record")));
        assert_null(copy->usage.model.data);
        assert_ptr_equal(copy->prices, i % 2 == 0 ? copies : NULL);
    }
    assert_null(conv__usage_copies_next(copies, &place));
    assert_null(conv__usage_copies_next(copies, &place));
}

static void records_come_back_and_memory_is_used_again(void **state)
{
    (void)state;
    conv__usage_copies copies = {0};
    conv__usage_place place = {0};
    assert_null(conv__usage_copies_next(&copies, &place));
    fill(&copies, 0);
    check(&copies, 0);
    conv__usage_copies_clear(&copies);
    assert_int_equal(copies.bytes, 0);
    place = (conv__usage_place){0};
    assert_null(conv__usage_copies_next(&copies, &place));
    failing_memory_start(0, false);
    fill(&copies, MANY);
    assert_int_equal(failing_memory_asked(), 0);
    failing_memory_stop();
    check(&copies, MANY);
    conv__usage_copies_free(&copies);
}

static void a_large_record_does_not_disturb_others(void **state)
{
    (void)state;
    enum { LARGE = 300000 };
    conv__usage_copies copies = {0};
    conv__usage_place place = {0};
    char *text = calloc(1, LARGE);
    assert_non_null(text);
    conv_usage usage = CONV_USAGE_INIT;
    for (int i = 0; i < 5; i++) {
        usage.raw = i % 2 == 1 ? conv_view(text, LARGE) : conv_text("{}");
        assert_true(conv__usage_copies_add(&copies, &usage, NULL));
    }
    for (int i = 0; i < 5; i++) {
        const conv__usage_copy *copy = conv__usage_copies_next(&copies, &place);
        assert_non_null(copy);
        assert_int_equal(copy->usage.raw.size, i % 2 == 1 ? LARGE : 2);
    }
    assert_null(conv__usage_copies_next(&copies, &place));
    conv__usage_copies_clear(&copies);
    free(text);
    conv__usage_copies_free(&copies);
}

static void what_found_no_memory_was_not_added(void **state)
{
    (void)state;
    conv__usage_copies copies = {0};
    conv__usage_place place = {0};
    conv_usage usage = CONV_USAGE_INIT;
    failing_memory_start(1, true);
    assert_false(conv__usage_copies_add(&copies, &usage, NULL));
    failing_memory_stop();
    assert_int_equal(copies.bytes, 0);
    assert_null(conv__usage_copies_next(&copies, &place));
    assert_true(conv__usage_copies_add(&copies, &usage, NULL));
    assert_non_null(conv__usage_copies_next(&copies, &place));
    assert_null(conv__usage_copies_next(&copies, &place));
    conv__usage_copies_free(&copies);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back_and_memory_is_used_again),
        cmocka_unit_test(a_large_record_does_not_disturb_others),
        cmocka_unit_test(what_found_no_memory_was_not_added),
    };
    return RUN_TESTS("usage copies", tests);
}
