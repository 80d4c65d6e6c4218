/* A disk that is full or can only be read, under a store, a journal or an export: what was accepted
 * is whole, what was not is said, and with room again all goes on. */
#include <string.h>

#include "support/program_one.h"
#include "support/test.h"

/* Runs the script where /mnt is a small file system of its own; gives its exit code. */
static int run_on_disk_of(const char *size, const char *script)
{
    char mount[64];
    snprintf(mount, sizeof mount, "mount -t tmpfs -o size=%s none /mnt", size);
    if (test_run("unshare -rm sh -c '%s'", mount) != 0) {
        print_message("not run: this system gives no mount namespace\n");
        skip();
    }
    test_write_file("script", script, strlen(script));
    return test_run("unshare -rm sh -c '%s && . ./script'", mount);
}

static int run_on_small_disk(const char *script)
{
    return run_on_disk_of("600k", script);
}

/* So small that not even the index of the log fits, which SQLite calls a failure of the disk. */
static void a_disk_of_a_few_pages(void **state)
{
    (void)state;
    int code =
        run_on_disk_of("16k", "conversation replay one.jsonl --store sqlite:/mnt/s.db >&2\n");
    if (code != 3) fail_msg("code %d, standard error is:\n%s", code, test_errors);
    assert_contains(test_errors, "disk full, or quota used up: make room");
}

/* Sixty conversations of 20 kB each. */
static void write_large(void)
{
    FILE *file = fopen("large.jsonl", "w");
    assert_non_null(file);
    for (int i = 0; i < 60; i++) {
        fprintf(file, "{\"id\": \"c%d\", \"messages\": [{\"role\": \"user\", \"content\": \"", i);
        for (int j = 0; j < 20000; j++)
            fputc('a' + j % 26, file);
        fputs("\"}, {\"role\": \"assistant\", \"content\": \"yes\"}]}\n", file);
    }
    assert_int_equal(fclose(file), 0);
}

static void a_store_on_a_full_disk(void **state)
{
    (void)state;
    write_large();
    /* What is stored is whole, and with room again the rest can be saved. */
    int code = run_on_small_disk(
        "conversation replay large.jsonl --store sqlite:/mnt/s.db >first 2>said\n"
        "code=$?\n"
        "cat said >&2\n"
        "mount -o remount,size=50m /mnt\n"
        "conversation export --store sqlite:/mnt/s.db >part || exit 98\n"
        "while read -r line; do grep -qxF \"$line\" large.jsonl || exit 97; done <part\n"
        "conversation replay large.jsonl --store sqlite:/mnt/s.db >&2 || exit 96\n"
        "conversation export --store sqlite:/mnt/s.db | sort >all\n"
        "sort large.jsonl | cmp - all || exit 95\n"
        "exit $code\n");
    if (code != 3) fail_msg("code %d, standard error is:\n%s", code, test_errors);
    assert_contains(test_errors, "disk full");
    assert_contains(test_errors, "conversation: stopped: ");
}

static void an_export_on_a_full_disk(void **state)
{
    (void)state;
    write_large();
    int code = run_on_small_disk("conversation replay large.jsonl --store sqlite:s.db >&2\n"
                                 "conversation export --store sqlite:s.db --output /mnt/out\n"
                                 "code=$?\n"
                                 "ls /mnt\n"
                                 "exit $code\n");
    if (code != 1) fail_msg("code %d, standard error is:\n%s", code, test_errors);
    assert_string_equal(test_output, ""); /* nothing of it is left on the disk */
    assert_contains(test_errors, "conversation: write /mnt/out: ");
}

static void a_store_that_is_read_only(void **state)
{
    (void)state;
    int code = run_on_small_disk("conversation migrate --store sqlite:/mnt/s.db >&2 || exit 99\n"
                                 "mount -o remount,ro /mnt\n"
                                 "conversation sessions --store sqlite:/mnt/s.db\n"
                                 "conversation replay one.jsonl --store sqlite:/mnt/s.db\n");
    if (code != 3) fail_msg("code %d, standard error is:\n%s", code, test_errors);
    assert_contains(test_errors, "make the folder writable, or copy the file to one that is");
    assert_contains(test_errors, "Read-only file system");
    assert_null(strstr(test_errors, "password"));
}

/* The store is away, so that the journal fills. What was taken and what was not are both saved with
 * room again, and nothing twice. */
static void a_journal_on_a_full_disk(void **state)
{
    (void)state;
    write_large();
    int code = run_on_small_disk(
        "conversation replay large.jsonl --store postgresql://127.0.0.1:1/none --journal /mnt/j.db "
        ">first 2>said\n"
        "code=$?\n"
        "cat said >&2\n"
        "mount -o remount,size=50m /mnt\n"
        "conversation journal list --journal /mnt/j.db | grep -q exchange || exit 97\n"
        "conversation replay large.jsonl --store sqlite:s.db --journal /mnt/j.db >&2 || exit 96\n"
        "conversation export --store sqlite:s.db | sort >all\n"
        "sort large.jsonl | cmp - all || exit 95\n"
        "exit $code\n");
    if (code != 3) fail_msg("code %d, standard error is:\n%s", code, test_errors);
    assert_contains(test_errors, "/mnt/j.db: disk full, or quota used up: make room");
    assert_contains(test_errors, "conversation: stopped: ");
    assert_contains(test_errors, "wait in the journal /mnt/j.db");
}

static void a_journal_that_is_read_only(void **state)
{
    (void)state;
    int code = run_on_small_disk(
        "conversation replay one.jsonl --store sqlite:s.db --journal /mnt/j.db >&2 || exit 99\n"
        "mount -o remount,ro /mnt\n"
        "conversation replay one.jsonl --store sqlite:t.db --journal /mnt/j.db && exit 98\n"
        "conversation replay one.jsonl --store sqlite:t.db --journal /mnt/new.db\n");
    if (code != 3) fail_msg("code %d, standard error is:\n%s", code, test_errors);
    assert_contains(test_errors, "can't open /mnt/j.db: Read-only file system");
    assert_contains(test_errors, "can't open /mnt/new.db: Read-only file system");
    assert_contains(test_errors, "hint: a journal is written to as soon as it is opened");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, test_program_one_setup, test_program_one_teardown)
        TEST(a_disk_of_a_few_pages),    TEST(a_store_on_a_full_disk),
        TEST(an_export_on_a_full_disk), TEST(a_store_that_is_read_only),
        TEST(a_journal_on_a_full_disk), TEST(a_journal_that_is_read_only),
#undef TEST
    };
    return RUN_TESTS("full disk", tests);
}
