/* UUIDs: every spelling, version 5 against Python's uuid module, version 7 with threads and clocks.
 */
#include "core/uuid.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/test.h"

static const char DNS[] = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";

static const char *formatted(conv_uuid uuid)
{
    static char text[CONV_UUID_TEXT_SIZE];
    conv_uuid_format(uuid, text);
    return text;
}

static void every_usual_spelling_is_read(void **state)
{
    (void)state;
    static const char *const spellings[] = {
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "6BA7B810-9DAD-11D1-80B4-00C04FD430C8",
        "6Ba7b810-9dAd-11d1-80B4-00c04Fd430c8",
        "6ba7b8109dad11d180b400c04fd430c8",
        "6BA7B8109DAD11D180B400C04FD430C8",
        "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}",
        "{6BA7B810-9DAD-11D1-80B4-00C04FD430C8}",
        "{6ba7b8109dad11d180b400c04fd430c8}",
        "urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "URN:UUID:6BA7B810-9DAD-11D1-80B4-00C04FD430C8",
        "urn:uuid:6ba7b8109dad11d180b400c04fd430c8",
    };
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
        conv_uuid uuid = {{0}};
        if (!conv_uuid_parse(conv_text(spellings[i]), &uuid)) fail_msg("%s", spellings[i]);
        assert_string_equal(formatted(uuid), DNS);
        assert_string_equal(formatted(conv_uuid_ensure(conv_text(spellings[i]))), DNS);
    }
}

static void near_misses_are_no_uuids(void **state)
{
    (void)state;
    static const char *const misses[] = {
        "",
        "6ba7b810-9dad-11d1-80b4-00c04fd430c",
        "6ba7b810-9dad-11d1-80b4-00c04fd430c88",
        "6ba7b810-9dad-11d1-80b4-00c04fd430cg",
        "6ba7b8109-dad-11d1-80b4-00c04fd430c8",
        "6ba7b810-9dad-11d1-80b400c04fd430c8-",
        "6ba7b810--9dad-11d1-80b4-0c04fd430c8",
        "6ba7b8109dad11d180b400c04fd430c",
        "6ba7b8109dad11d180b400c04fd430c8a",
        "6ba7b8109dad11d180b400c04fd430-8",
        "0x6ba7b8109dad11d180b400c04fd430",
        "+ba7b810-9dad-11d1-80b4-00c04fd430c8",
        " ba7b810-9dad-11d1-80b4-00c04fd430c8",
        " 6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8\n",
        "{6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8}",
        "{{6ba7b810-9dad-11d1-80b4-00c04fd430c8}}",
        "(6ba7b810-9dad-11d1-80b4-00c04fd430c8)",
        "urn:uuid:",
        "urn:uuid",
        "uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "urn:6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "urn:uuid:{6ba7b810-9dad-11d1-80b4-00c04fd430c8}",
        "urn:uuid: 6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "{}",
        "6ba7b810\xE2\x80\x90"
        "9dad-11d1-80b4-00c04fd430c8",
    };
    conv_uuid untouched = conv_uuid_namespace_dns();
    for (size_t i = 0; i < sizeof misses / sizeof misses[0]; i++) {
        conv_uuid uuid = untouched;
        if (conv_uuid_parse(conv_text(misses[i]), &uuid)) fail_msg("%s", misses[i]);
        assert_int_equal(conv_uuid_compare(uuid, untouched), 0);
        uuid = conv_uuid_ensure(conv_text(misses[i]));
        assert_int_equal(uuid.bytes[6] >> 4, 5);
    }
    conv_uuid uuid;
    assert_false(conv_uuid_parse(conv_text(NULL), &uuid));
    assert_false(conv_uuid_parse(conv_view("6ba7b810\0009dad-11d1-80b4-00c04fd430c8", 36), &uuid));
}

/* One character of a good UUID changed to each other byte: only another hexadecimal digit is read.
 */
static void each_character_is_checked(void **state)
{
    (void)state;
    for (size_t place = 0; place < 36; place++) {
        for (int byte = 0; byte < 256; byte++) {
            char text[36];
            memcpy(text, DNS, 36);
            text[place] = (char)byte;
            bool is_hyphen_place = place == 8 || place == 13 || place == 18 || place == 23;
            bool is_hex = byte != 0 && strchr("0123456789abcdefABCDEF", byte) != NULL;
            conv_uuid uuid;
            assert_int_equal(conv_uuid_parse(conv_view(text, 36), &uuid),
                             is_hyphen_place ? byte == '-' : is_hex);
        }
    }
}

/* Made with Python: uuid.uuid5(uuid.NAMESPACE_DNS, text). */
static void any_other_string_is_version_5_as_in_python(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *uuid;
    } vectors[] = {
        {"test-session", "d2113e7f-186d-5342-908a-af6bd486c306"},
        {"user-123", "3a1b8473-3492-5076-98f9-b2dfa6d37933"},
        {"", "4ebd0208-8328-5d69-8c44-ec50939c0967"},
        {"a", "4f3f2898-69e3-5a0d-820a-c4e87987dbce"},
        {"support-42", "f119c983-4b70-5d0c-8545-3a92d58416a0"},
        {"airline-task-0-trial-0", "9eb77641-2cf2-5926-b8ad-958fa2bfe9f8"},
        {"mt-ja/1/gpt-3.5-turbo", "579ed09b-defc-5916-80d0-ba3489d8206c"},
        {"thread_abc", "6ae228b6-c63d-58b7-b303-19364ddac695"},
        {"python.org", "886313e1-3b8a-5372-9b90-0c9aee199e5d"},
        {"Gr\xc3\xb6\xc3\x9f"
         "e",
         "e1aa1205-d4e2-5710-a677-5c65f6628640"},
        {"\xe4\xbc\x9a\xe8\xa9\xb1-7", "00838802-5221-5ac6-a5a4-52018e7ff830"},
        {"\xf0\x9f\x99\x82", "0d3d13d6-f00c-57ba-992e-d002da64d8ea"},
        {"\xd9\x85\xd8\xb1\xd8\xad\xd8\xa8\xd8\xa7", "0060a36d-402a-5e5f-b937-7bc10d921bad"},
        {"{6ba7b810-9dad-11d1-80b4-00c04fd430c8", "1e1e98d2-4371-5fe8-954b-6c58d9c078c5"},
        {"6ba7b810-9dad-11d1-80b4-00c04fd430c", "8c680cbf-ae9c-5a76-8f57-82b578f1f236"},
        {"6ba7b8109-dad-11d1-80b4-00c04fd430c8", "7758d13c-6ffd-570b-810f-528f5ea66c15"},
        {"urn:uuid:", "9c6ef1b0-d422-55de-963b-72797a9ec44c"},
        {"  6ba7b810-9dad-11d1-80b4-00c04fd430c8", "ef35685c-6115-5850-bdcc-6d225d8e8a8c"},
        {"00000000-0000-0000-0000-000000000000", "9deb2fc0-8ca4-5d9d-ac43-1313f2ef0772"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        assert_string_equal(formatted(conv_uuid_ensure(conv_text(vectors[i].text))),
                            vectors[i].uuid);
    }
    assert_string_equal(formatted(conv_uuid_ensure(conv_view("a\0b", 3))),
                        "0a63f66b-e02f-5d2d-9fd4-aad819cf5352");
    char long_name[200];
    memset(long_name, 'x', sizeof long_name);
    assert_string_equal(formatted(conv_uuid_ensure(conv_view(long_name, sizeof long_name))),
                        "ddcc691a-b8e2-53e5-b059-6a232874b2eb");
    conv_uuid url;
    assert_true(conv_uuid_parse(conv_text("6ba7b811-9dad-11d1-80b4-00c04fd430c8"), &url));
    assert_string_equal(formatted(conv_uuid_v5(url, conv_text("https://example.com/"))),
                        "dd2c1780-811a-5296-81c5-178a0ef488bc");
}

static void absent_is_nil_and_nothing_else_is(void **state)
{
    (void)state;
    conv_uuid nil;
    assert_true(conv_uuid_is_nil(conv_uuid_ensure(conv_text(NULL))));
    assert_true(conv_uuid_parse(conv_text("00000000-0000-0000-0000-000000000000"), &nil));
    assert_true(conv_uuid_is_nil(nil));
    assert_false(
        conv_uuid_is_nil(conv_uuid_ensure(conv_text("{00000000000000000000000000000000}"))));
    for (size_t i = 0; i < 16; i++) {
        conv_uuid uuid = {{0}};
        uuid.bytes[i] = 1;
        assert_false(conv_uuid_is_nil(uuid));
        assert_true(conv_uuid_compare(uuid, nil) > 0);
        assert_true(conv_uuid_compare(nil, uuid) < 0);
    }
    conv_uuid low = {{0x7F}}, high = {{0x80}};
    assert_true(conv_uuid_compare(low, high) < 0);
}

static void versions_and_variants_are_marked(void **state)
{
    (void)state;
    conv_uuid last = {{0}};
    for (int i = 0; i < 1000; i++) {
        conv_uuid four = conv_uuid_v4();
        assert_int_equal(four.bytes[6] >> 4, 4);
        assert_int_equal(four.bytes[8] >> 6, 2);
        assert_int_not_equal(conv_uuid_compare(four, last), 0);
        last = four;
        conv_uuid seven = conv_uuid_v7();
        assert_int_equal(seven.bytes[6] >> 4, 7);
        assert_int_equal(seven.bytes[8] >> 6, 2);
    }
}

static void making_ids_leaves_the_random_numbers_of_the_application_alone(void **state)
{
    (void)state;
    srandom(42);
    long first = random();
    long second = random();
    srandom(42);
    assert_int_equal(random(), first);
    conv_uuid_v4();
    conv_uuid_v7();
    assert_int_equal(random(), second);
}

/* A clock that the test sets. */
typedef struct fake_clock {
    conv__clock clock;
    int64_t now_us;
} fake_clock;

static int64_t fake_now_us(const conv__clock *clock)
{
    return ((const fake_clock *)clock)->now_us;
}

static const conv__clock_functions fake_functions = {fake_now_us, NULL};

static int64_t milliseconds_of(conv_uuid uuid)
{
    int64_t ms = 0;
    for (int i = 0; i < 6; i++) {
        ms = ms << 8 | uuid.bytes[i];
    }
    return ms;
}

static void version_7_begins_with_the_milliseconds(void **state)
{
    (void)state;
    /* The example of RFC 9562, appendix A.6: 2022-02-22T19:22:22.000Z. */
    fake_clock clock = {{&fake_functions}, INT64_C(0x017F22E279B0) * 1000 + 999};
    conv__uuid_source source = {&clock.clock, 0};
    conv_uuid uuid = conv__uuid_source_next(&source);
    assert_memory_equal(formatted(uuid), "017f22e2-79b0-7", 15);

    int64_t before = conv__now_us() / 1000;
    int64_t made = milliseconds_of(conv_uuid_v7());
    assert_true(made >= before && made <= conv__now_us() / 1000 + 1);
}

static void version_7_ascends_whatever_the_clock_does(void **state)
{
    (void)state;
    fake_clock clock = {{&fake_functions}, INT64_C(1700000000000000)};
    conv__uuid_source source = {&clock.clock, 0};
    conv_uuid last = conv__uuid_source_next(&source);
    uint64_t seed = 7;
    for (int i = 0; i < 300000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        switch (seed >> 62) {
        case 0:
            clock.now_us += (int64_t)(seed >> 40 & 0xFFF);
            break;
        case 1:
            clock.now_us -= (int64_t)(seed >> 40 & 0xFFFF);
            break;
        default:
            break;
        }
        if (i == 100000) clock.now_us -= INT64_C(3600) * 1000000;
        if (i == 200000) clock.now_us = -5;
        conv_uuid next = conv__uuid_source_next(&source);
        if (conv_uuid_compare(last, next) >= 0) fail_msg("id %d is not greater", i);
        last = next;
    }
}

static void version_7_outruns_a_clock_that_stands(void **state)
{
    (void)state;
    fake_clock clock = {{&fake_functions}, INT64_C(1700000000000000)};
    conv__uuid_source source = {&clock.clock, 0};
    conv_uuid first = conv__uuid_source_next(&source);
    conv_uuid last = first;
    for (int i = 0; i < 70000; i++) {
        conv_uuid next = conv__uuid_source_next(&source);
        assert_true(conv_uuid_compare(last, next) < 0);
        assert_int_equal(next.bytes[6] >> 4, 7);
        assert_int_equal(next.bytes[8] >> 6, 2);
        last = next;
    }
    assert_int_equal(milliseconds_of(first), 1700000000000);
    assert_in_range(milliseconds_of(last), 1700000000001, 1700000000002);
    clock.now_us += 10000;
    assert_int_equal(milliseconds_of(conv__uuid_source_next(&source)), 1700000000010);
}

enum { THREADS = 16, IDS = 4000 };

static conv_uuid made[THREADS][IDS];

static void *make_ids(void *argument)
{
    conv_uuid *ids = argument;
    for (int i = 0; i < IDS; i++) {
        ids[i] = conv_uuid_v7();
    }
    return NULL;
}

static int compare_ids(const void *a, const void *b)
{
    return conv_uuid_compare(*(const conv_uuid *)a, *(const conv_uuid *)b);
}

static void version_7_is_unique_over_threads_and_ordered_in_each(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, make_ids, made[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int thread = 0; thread < THREADS; thread++) {
        for (int i = 1; i < IDS; i++) {
            assert_true(conv_uuid_compare(made[thread][i - 1], made[thread][i]) < 0);
        }
    }
    conv_uuid *all = &made[0][0];
    qsort(all, THREADS * IDS, sizeof *all, compare_ids);
    for (int i = 1; i < THREADS * IDS; i++) {
        /* The first eight bytes and a half are time and counter: they alone must differ already. */
        conv_uuid a = all[i - 1], b = all[i];
        memset(a.bytes + 9, 0, 7);
        memset(b.bytes + 9, 0, 7);
        a.bytes[8] &= 0xFC;
        b.bytes[8] &= 0xFC;
        assert_true(conv_uuid_compare(a, b) < 0);
    }
}

/* Random bytes are fetched in advance; a child must not go on with its parent's. */
static void a_forked_child_makes_other_ids(void **state)
{
    (void)state;
    enum { FORKED_IDS = 8 };
    conv_uuid own[FORKED_IDS];
    conv_uuid childs[FORKED_IDS];
    int ends[2];
    (void)conv_uuid_v4();
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (int i = 0; i < FORKED_IDS; i++)
            childs[i] = conv_uuid_v4();
        _exit(write(ends[1], childs, sizeof childs) == (ssize_t)sizeof childs ? 0 : 1);
    }
    for (int i = 0; i < FORKED_IDS; i++)
        own[i] = conv_uuid_v4();
    assert_int_equal(read(ends[0], childs, sizeof childs), sizeof childs);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(ends[0]);
    close(ends[1]);
    for (int i = 0; i < FORKED_IDS; i++)
        for (int k = 0; k < FORKED_IDS; k++)
            assert_int_not_equal(conv_uuid_compare(own[i], childs[k]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forked_child_makes_other_ids),
        cmocka_unit_test(every_usual_spelling_is_read),
        cmocka_unit_test(near_misses_are_no_uuids),
        cmocka_unit_test(each_character_is_checked),
        cmocka_unit_test(any_other_string_is_version_5_as_in_python),
        cmocka_unit_test(absent_is_nil_and_nothing_else_is),
        cmocka_unit_test(versions_and_variants_are_marked),
        cmocka_unit_test(making_ids_leaves_the_random_numbers_of_the_application_alone),
        cmocka_unit_test(version_7_begins_with_the_milliseconds),
        cmocka_unit_test(version_7_ascends_whatever_the_clock_does),
        cmocka_unit_test(version_7_outruns_a_clock_that_stands),
        cmocka_unit_test(version_7_is_unique_over_threads_and_ordered_in_each),
    };
    return RUN_TESTS("uuid", tests);
}
