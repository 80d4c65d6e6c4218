/* SHA-256 against the vectors of FIPS 180-4, and the borders between fields. */
#include "core/hash.h"

#include "support/failing_memory.h"
#include "support/test.h"

static const char *hex(const uint8_t digest[CONV__SHA256_SIZE])
{
    static char text[2 * CONV__SHA256_SIZE + 1];
    for (size_t i = 0; i < CONV__SHA256_SIZE; i++) {
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    }
    return text;
}

static void known_texts_have_known_digests(void **state)
{
    (void)state;
    uint8_t digest[CONV__SHA256_SIZE];
    conv__sha256 *hash = conv__sha256_create();
    conv__sha256_update(hash, NULL, 0);
    assert_int_equal(conv__sha256_finish(hash, digest), CONV_OK);
    assert_string_equal(hex(digest),
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    hash = conv__sha256_create();
    conv__sha256_update(hash, "ab", 2);
    conv__sha256_update(hash, "c", 1);
    assert_int_equal(conv__sha256_finish(hash, digest), CONV_OK);
    assert_string_equal(hex(digest),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void digest_of(conv_bytes first, conv_bytes second, uint8_t digest[CONV__SHA256_SIZE])
{
    conv__sha256 *hash = conv__sha256_create();
    conv__sha256_field(hash, first);
    conv__sha256_field(hash, second);
    assert_int_equal(conv__sha256_finish(hash, digest), CONV_OK);
}

static void fields_can_not_be_mistaken_for_others(void **state)
{
    (void)state;
    const conv_bytes fields[][2] = {
        {conv_text("ab"), conv_text("c")},   {conv_text("a"), conv_text("bc")},
        {conv_text("abc"), conv_text("")},   {conv_text(""), conv_text("abc")},
        {conv_text("abc"), conv_text(NULL)}, {conv_text(NULL), conv_text("abc")},
        {conv_text(""), conv_text("")},      {conv_text(""), conv_text(NULL)},
        {conv_text(NULL), conv_text(NULL)},  {conv_view("\1\0\0\0\0\0\0\0a", 9), conv_text("")},
    };
    enum { COUNT = sizeof fields / sizeof fields[0] };
    uint8_t digests[COUNT][CONV__SHA256_SIZE];
    for (size_t i = 0; i < COUNT; i++) {
        digest_of(fields[i][0], fields[i][1], digests[i]);
        for (size_t k = 0; k < i; k++) {
            assert_memory_not_equal(digests[i], digests[k], CONV__SHA256_SIZE);
        }
    }
}

/* Made with Python: hashlib.sha256(b"\3" + bytes(7) + b"abc" + b"\xff" * 8). */
static void the_form_of_a_field_is_the_documented_one(void **state)
{
    (void)state;
    uint8_t digest[CONV__SHA256_SIZE];
    digest_of(conv_text("abc"), conv_text(NULL), digest);
    assert_string_equal(hex(digest),
                        "72fcf86c5e82ed986836be54d958988e996cba991efc8605c718776fdaedeb6b");
}

static conv_status make_hash(void *context)
{
    conv__sha256 *hash = conv__sha256_create();
    if (hash == NULL) return CONV_NO_MEMORY;
    return conv__sha256_finish(hash, context);
}

static void a_failing_allocation_is_said(void **state)
{
    (void)state;
    uint8_t digest[CONV__SHA256_SIZE];
    assert_int_equal(failing_memory_run(make_hash, digest), 1);
    conv__sha256_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_texts_have_known_digests),
        cmocka_unit_test(fields_can_not_be_mistaken_for_others),
        cmocka_unit_test(the_form_of_a_field_is_the_documented_one),
        cmocka_unit_test(a_failing_allocation_is_said),
    };
    return RUN_TESTS("hash", tests);
}
