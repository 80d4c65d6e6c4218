/* Base64 against the vectors of RFC 4648. */
#include "core/base64.h"
#include "support/test.h"

static void the_vectors_of_the_rfc_agree(void **state)
{
    (void)state;
    static const char *const table[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xff\xfe\xfb\xef\xbe", "//77774="},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        conv__buffer text = {0}, bytes = {0};
        conv__base64_append(&text, conv_text(table[i][0]));
        assert_bytes(conv__buffer_bytes(&text), table[i][1]);
        assert_true(conv__base64_decode(&bytes, conv_text(table[i][1])));
        assert_bytes(conv__buffer_bytes(&bytes), table[i][0]);
        conv__buffer_free(&text);
        conv__buffer_free(&bytes);
    }
}

static void every_byte_comes_back(void **state)
{
    (void)state;
    char all[256];
    for (size_t i = 0; i < sizeof all; i++) {
        all[i] = (char)i;
    }
    for (size_t size = 0; size <= sizeof all; size++) {
        conv__buffer text = {0}, bytes = {0};
        conv__base64_append(&text, conv_view(all, size));
        assert_int_equal(text.size, (size + 2) / 3 * 4);
        assert_true(conv__base64_decode(&bytes, conv__buffer_bytes(&text)));
        assert_true(conv_bytes_equal(conv__buffer_bytes(&bytes), conv_view(all, size)));
        conv__buffer_free(&text);
        conv__buffer_free(&bytes);
    }
}

static void anything_else_is_refused(void **state)
{
    (void)state;
    static const char *const table[] = {
        "Z",    "Zg",   "Zg=",  "Zm8",  "Zg==Zg==", "Zm9v\n", "Zm9v ", "Zh==",
        "Zm9=", "====", "=g==", "Z===", "Zg=a",     "Zm-_",   "Zm9vZ", "\xff\xff\xff\xff",
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        conv__buffer bytes = {0};
        if (conv__base64_decode(&bytes, conv_text(table[i]))) fail_msg("taken: %s", table[i]);
        conv__buffer_free(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_the_rfc_agree),
        cmocka_unit_test(every_byte_comes_back),
        cmocka_unit_test(anything_else_is_refused),
    };
    return RUN_TESTS("base64", tests);
}
