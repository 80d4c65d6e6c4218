/* Allocation, arenas and buffers. */
#include "core/memory.h"

#include <stdalign.h>

#include "core/buffer.h"
#include "support/failing_memory.h"
#include "support/test.h"

static void allocated_memory_is_zeroed(void **state)
{
    (void)state;
    for (int round = 0; round < 8; round++) {
        unsigned char *block = conv__allocate(200);
        assert_non_null(block);
        for (size_t i = 0; i < 200; i++) {
            assert_int_equal(block[i], 0);
        }
        memset(block, 0xFF, 200);
        conv__release(block);
    }
    void *nothing = conv__allocate(0);
    assert_non_null(nothing);
    conv__release(nothing);
    conv__release(NULL);
}

static void a_text_is_copied(void **state)
{
    (void)state;
    assert_null(conv__copy_text(NULL));
    char *copy = conv__copy_text("abc");
    assert_string_equal(copy, "abc");
    conv__release(copy);
}

static void arena_blocks_are_aligned_zeroed_and_stay(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    conv__arena arena = {0};
    unsigned char *blocks[COUNT];
    size_t sizes[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        sizes[i] = i % 50 == 49 ? 100000 + i : i % 7 == 0 ? 0 : (i * 37) % 900;
        blocks[i] = conv__arena_allocate(&arena, sizes[i]);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % alignof(max_align_t), 0);
        for (size_t k = 0; k < sizes[i]; k++) {
            assert_int_equal(blocks[i][k], 0);
        }
        memset(blocks[i], (int)(i % 256), sizes[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t k = 0; k < sizes[i]; k++) {
            assert_int_equal(blocks[i][k], i % 256);
        }
    }
    conv__arena_reset(&arena);
    assert_null(arena.chunks);
    conv__arena_reset(&arena);
}

static void small_blocks_share_an_allocation(void **state)
{
    (void)state;
    failing_memory_start(0, false);
    conv__arena arena = {0};
    for (int i = 0; i < 1000; i++) {
        assert_non_null(conv__arena_allocate(&arena, 24));
        if (i % 100 == 0) assert_non_null(conv__arena_allocate(&arena, 200000));
    }
    assert_in_range(failing_memory_asked(), 10, 20);
    conv__arena_reset(&arena);
    assert_int_equal(failing_memory_live(), 0);
    failing_memory_stop();
}

static void impossible_sizes_are_refused(void **state)
{
    (void)state;
    conv__arena arena = {0};
    assert_null(conv__arena_allocate(&arena, SIZE_MAX));
    assert_null(conv__arena_allocate(&arena, SIZE_MAX - 40));
    conv_bytes copy = conv_text("before");
    assert_int_equal(conv__arena_copy(&arena, conv_view("x", SIZE_MAX), &copy), CONV_NO_MEMORY);
    assert_bytes(copy, "before");
    conv__arena_reset(&arena);
}

static void a_copy_ends_with_a_nul(void **state)
{
    (void)state;
    conv__arena arena = {0};
    conv_bytes bytes = conv_view("a\0bc", 3);
    assert_int_equal(conv__arena_copy(&arena, bytes, &bytes), CONV_OK);
    assert_int_equal(bytes.size, 3);
    assert_memory_equal(bytes.data, "a\0b", 4);

    conv_bytes empty = conv_view("x", 0);
    assert_int_equal(conv__arena_copy(&arena, empty, &empty), CONV_OK);
    assert_bytes(empty, "");
    conv_bytes absent = conv_text(NULL);
    assert_int_equal(conv__arena_copy(&arena, absent, &absent), CONV_OK);
    assert_null(absent.data);
    conv__arena_reset(&arena);
}

static void a_buffer_grows_and_ends_with_a_nul(void **state)
{
    (void)state;
    conv__buffer buffer = {0};
    assert_bytes(conv__buffer_bytes(&buffer), "");
    conv__buffer_append_text(&buffer, "");
    assert_bytes(conv__buffer_bytes(&buffer), "");
    conv__buffer_append_bytes(&buffer, conv_text(NULL));
    for (int i = 0; i < 1000; i++) {
        conv__buffer_format(&buffer, "%03d,", i);
        assert_int_equal(buffer.data[buffer.size], 0);
    }
    assert_int_equal(buffer.size, 4000);
    assert_memory_equal(buffer.data, "000,001,002,", 12);
    assert_string_equal(buffer.data + 3996, "999,");
    char *room = conv__buffer_extend(&buffer, 2);
    memcpy(room, "xy", 2);
    assert_string_equal(buffer.data + 3996, "999,xy");

    conv__buffer_clear(&buffer);
    assert_bytes(conv__buffer_bytes(&buffer), "");
    assert_non_null(buffer.data);
    conv__buffer_free(&buffer);
    assert_null(buffer.data);
}

static void a_failed_buffer_stays_failed(void **state)
{
    (void)state;
    conv__buffer buffer = {0};
    conv__buffer_append_text(&buffer, "abc");
    assert_null(conv__buffer_extend(&buffer, SIZE_MAX - 2));
    assert_true(buffer.failed);
    conv__buffer_append_text(&buffer, "def");
    assert_bytes(conv__buffer_bytes(&buffer), "abc");
    conv__buffer_clear(&buffer);
    assert_false(buffer.failed);
    conv__buffer_free(&buffer);
}

static conv_status fill_buffer_and_arena(void *context)
{
    (void)context;
    conv__buffer buffer = {0};
    conv__arena arena = {0};
    for (int i = 0; i < 200; i++) {
        conv__buffer_format(&buffer, "%03d and more ", i);
    }
    /* A piece that is missing must show, also when there was memory again for those after it. */
    if (!buffer.failed) assert_int_equal(buffer.size, 200 * strlen("000 and more "));
    conv_bytes copy = {0};
    conv_status status = buffer.failed ? CONV_NO_MEMORY : CONV_OK;
    for (int i = 0; status == CONV_OK && i < 20; i++) {
        status = conv__arena_copy(&arena, conv__buffer_bytes(&buffer), &copy);
    }
    if (status == CONV_OK) assert_int_equal(copy.size, buffer.size);
    conv__buffer_free(&buffer);
    conv__arena_reset(&arena);
    return status;
}

static void every_failing_allocation_is_seen(void **state)
{
    (void)state;
    assert_in_range(failing_memory_run(fill_buffer_and_arena, NULL), 5, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocated_memory_is_zeroed),
        cmocka_unit_test(a_text_is_copied),
        cmocka_unit_test(arena_blocks_are_aligned_zeroed_and_stay),
        cmocka_unit_test(small_blocks_share_an_allocation),
        cmocka_unit_test(impossible_sizes_are_refused),
        cmocka_unit_test(a_copy_ends_with_a_nul),
        cmocka_unit_test(a_buffer_grows_and_ends_with_a_nul),
        cmocka_unit_test(a_failed_buffer_stays_failed),
        cmocka_unit_test(every_failing_allocation_is_seen),
    };
    return RUN_TESTS("memory", tests);
}
