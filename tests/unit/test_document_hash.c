/* Hashes of documents: the published values, and files to their last byte. */
#include "support/test.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conversation/document.h"
#include "core/hash.h"

#define OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static conv_error error;

/* Source: FIPS 180-4's own examples. */
static void published_values(void **state)
{
    (void)state;
    char text[CONV_SHA256_TEXT_SIZE];
    assert_ok(conv_document_hash(conv_text(NULL), text, &error), error);
    assert_string_equal(text, OF_NOTHING);
    assert_ok(conv_document_hash(conv_text(""), text, &error), error);
    assert_string_equal(text, OF_NOTHING);
    assert_ok(conv_document_hash(conv_text("abc"), text, NULL), error);
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void files_are_read_to_their_end(void **state)
{
    (void)state;
    char folder[] = "/tmp/conversation-test-XXXXXX";
    char path[64];
    char text[CONV_SHA256_TEXT_SIZE] = "untouched";
    int64_t size = -1;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_ok(conv_document_hash_file(path, text, &size, &error), error);
    assert_true(size == 0);
    assert_string_equal(text, OF_NOTHING);
    for (int i = 0; i < 1000000; i++)
        fputc('a', file);
    fclose(file);
    assert_ok(conv_document_hash_file(path, text, &size, &error), error);
    assert_true(size == 1000000);
    assert_string_equal(text, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    assert_status(conv_document_hash_file(folder, text, &size, &error), CONV_INVALID_ARGUMENT,
                  error);
    assert_null(strstr(error.message, folder));
    unlink(path);
    assert_status(conv_document_hash_file(path, text, &size, &error), CONV_NOT_FOUND, error);
    assert_status(conv_document_hash_file(NULL, text, &size, &error), CONV_INVALID_ARGUMENT, error);
    rmdir(folder);
}

/* Reading them might never end, or never begin. */
static void what_has_no_end_is_refused(void **state)
{
    (void)state;
    char folder[] = "/tmp/conversation-test-XXXXXX";
    char fifo[64];
    assert_non_null(mkdtemp(folder));
    snprintf(fifo, sizeof fifo, "%s/fifo", folder);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    const char *const paths[] = {folder, fifo, "/dev/zero", "/dev/null"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char text[CONV_SHA256_TEXT_SIZE] = "untouched";
        int64_t size = -1;
        assert_status(conv_document_hash_file(paths[i], text, &size, &error), CONV_INVALID_ARGUMENT,
                      error);
        assert_non_null(strstr(error.message, i == 0 ? "a folder" : "no regular file"));
        assert_int_equal(conv_document_hash_file(paths[i], text, &size, NULL),
                         CONV_INVALID_ARGUMENT);
        assert_string_equal(text, "untouched");
        assert_true(size == -1);
    }
    unlink(fifo);
    rmdir(folder);
}

static void only_sixty_four_digits_are_a_hash(void **state)
{
    (void)state;
    uint8_t digest[CONV__SHA256_SIZE];
    char text[CONV_SHA256_TEXT_SIZE];
    char wrong[CONV_SHA256_TEXT_SIZE + 1];
    assert_true(conv__sha256_parse("E3B0C44298FC1C149AFBF4C8996FB924"
                                   "27AE41E4649B934CA495991B7852B855",
                                   digest));
    conv__sha256_format(digest, text);
    assert_string_equal(text, OF_NOTHING);
    for (size_t size = 0; size < 64; size++) {
        snprintf(wrong, sizeof wrong, "%.*s", (int)size, OF_NOTHING);
        assert_false(conv__sha256_parse(wrong, digest));
        snprintf(wrong, sizeof wrong, "%s", OF_NOTHING);
        wrong[size] = 'g';
        assert_false(conv__sha256_parse(wrong, digest));
    }
    snprintf(wrong, sizeof wrong, "%s0", OF_NOTHING);
    assert_false(conv__sha256_parse(wrong, digest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_values),
        cmocka_unit_test(files_are_read_to_their_end),
        cmocka_unit_test(what_has_no_end_is_refused),
        cmocka_unit_test(only_sixty_four_digits_are_a_hash),
    };
    return RUN_TESTS("document hash", tests);
}
