/* The column `originals`: its form, and damage to it. */
#include "core/originals.h"

#include "support/test.h"

static conv__buffer three_fields(void)
{
    conv__buffer buffer = {0};
    conv__originals_append(&buffer, CONV__ORIGINAL_CONTENT, conv_view("a\0b", 3));
    conv__originals_append(&buffer, CONV__ORIGINAL_NAME, conv_text(""));
    conv__originals_append(&buffer, CONV__ORIGINAL_RAW, conv_text("{}"));
    return buffer;
}

/* Stored data is in this form: it must never change. */
static void the_form_is_the_documented_one(void **state)
{
    (void)state;
    static const char form[] = "\x01\0\0\0\0\0\0\0\x03"
                               "a\0b\0"
                               "\x05\0\0\0\0\0\0\0\0\0"
                               "\x10\0\0\0\0\0\0\0\x02{}\0";
    conv__buffer buffer = three_fields();
    assert_int_equal(buffer.size, sizeof form - 1);
    assert_memory_equal(buffer.data, form, buffer.size);
    conv__buffer_free(&buffer);
}

static void fields_come_back_in_order(void **state)
{
    (void)state;
    conv__buffer buffer = three_fields();
    size_t position = 0;
    unsigned field = 0;
    conv_bytes bytes;
    assert_true(conv__originals_next(conv__buffer_bytes(&buffer), &position, &field, &bytes));
    assert_int_equal(field, CONV__ORIGINAL_CONTENT);
    assert_true(conv_bytes_equal(bytes, conv_view("a\0b", 3)));
    assert_true(conv__originals_next(conv__buffer_bytes(&buffer), &position, &field, &bytes));
    assert_int_equal(field, CONV__ORIGINAL_NAME);
    assert_bytes(bytes, "");
    assert_true(conv__originals_next(conv__buffer_bytes(&buffer), &position, &field, &bytes));
    assert_int_equal(field, CONV__ORIGINAL_RAW);
    assert_bytes(bytes, "{}");
    assert_false(conv__originals_next(conv__buffer_bytes(&buffer), &position, &field, &bytes));
    assert_int_equal(position, buffer.size);
    conv__buffer_free(&buffer);
}

static void an_absent_column_has_no_fields(void **state)
{
    (void)state;
    size_t position = 0;
    unsigned field;
    conv_bytes bytes;
    assert_false(conv__originals_next(conv_text(NULL), &position, &field, &bytes));
    assert_int_equal(position, 0);
}

/* Walks to the end and says whether all of the column was whole. */
static bool is_whole(conv_bytes originals, size_t *count)
{
    size_t position = 0;
    unsigned field;
    conv_bytes bytes;
    *count = 0;
    while (conv__originals_next(originals, &position, &field, &bytes)) {
        assert_true(bytes.data + bytes.size < originals.data + originals.size);
        assert_int_equal(bytes.data[bytes.size], '\0');
        (*count)++;
    }
    assert_true(position <= originals.size);
    return position == originals.size;
}

static void every_cut_is_seen(void **state)
{
    (void)state;
    conv__buffer buffer = three_fields();
    size_t count;
    for (size_t size = 1; size < buffer.size; size++) {
        bool at_border = size == 13 || size == 23;
        assert_int_equal(is_whole(conv_view(buffer.data, size), &count), at_border);
        assert_int_equal(count, size >= 23 ? 2 : size >= 13 ? 1 : 0);
    }
    conv__buffer_append(&buffer, "x", 1);
    assert_false(is_whole(conv__buffer_bytes(&buffer), &count));
    assert_int_equal(count, 3);
    conv__buffer_free(&buffer);
}

static void damaged_lengths_lead_nowhere(void **state)
{
    (void)state;
    for (size_t place = 1; place < 9; place++) {
        for (int bit = 0; bit < 8; bit++) {
            conv__buffer buffer = three_fields();
            buffer.data[place] = (char)(buffer.data[place] ^ (1 << bit));
            size_t count;
            is_whole(conv__buffer_bytes(&buffer), &count);
            conv__buffer_free(&buffer);
        }
    }
    conv__buffer unended = three_fields();
    unended.data[12] = 'c';
    size_t fields;
    assert_false(is_whole(conv__buffer_bytes(&unended), &fields));
    assert_int_equal(fields, 0);
    conv__buffer_free(&unended);
    static const char endless[] = "\x01\xff\xff\xff\xff\xff\xff\xff\xff"
                                  "abc";
    size_t count;
    assert_false(is_whole(conv_view(endless, sizeof endless - 1), &count));
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_form_is_the_documented_one),
        cmocka_unit_test(fields_come_back_in_order),
        cmocka_unit_test(an_absent_column_has_no_fields),
        cmocka_unit_test(every_cut_is_seen),
        cmocka_unit_test(damaged_lengths_lead_nowhere),
    };
    return RUN_TESTS("originals", tests);
}
