/* Memory that can fail, under all libraries; see memory.h. */
#include <jansson.h>
#include <malloc.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "conversation/conversation.h"
#include "fault/memory.h"
#include "support/failing_memory.h"
#include "support/library_memory.h"

/* 2026-01-01, in milliseconds of the Julian calendar. */
#define SAME_TIME (INT64_C(2461041) * 86400000 + 43200000)

enum { MOST_KEPT = 1 << 30, LARGEST_KEPT = 16 << 20 };

static sqlite3_mem_methods plain;

/* Blocks that SQLite has. Its own statistics would cost a lock for each. */
static atomic_long held;

static void *take_for_sqlite(int size)
{
    void *block = failing_memory_fails() ? NULL : plain.xMalloc(size);
    if (block != NULL) atomic_fetch_add(&held, 1);
    return block;
}

static void release_for_sqlite(void *block)
{
    atomic_fetch_sub(&held, 1);
    plain.xFree(block);
}

static void *resize_for_sqlite(void *block, int size)
{
    return failing_memory_fails() ? NULL : plain.xRealloc(block, size);
}

static int tell_same_time(sqlite3_vfs *files, sqlite3_int64 *now)
{
    (void)files;
    *now = SAME_TIME;
    return SQLITE_OK;
}

void memory_repeat_chance(void)
{
    (void)sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, 1, NULL);
}

void memory_install(void)
{
    static const library_memory libpq = {failing_memory_allocate, failing_memory_resize,
                                         failing_memory_release};
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain) != SQLITE_OK) exit(99);
    sqlite3_mem_methods methods = plain;
    methods.xMalloc = take_for_sqlite;
    methods.xRealloc = resize_for_sqlite;
    methods.xFree = release_for_sqlite;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK ||
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) != SQLITE_OK)
        exit(99);
    sqlite3_vfs_find(NULL)->xCurrentTimeInt64 = tell_same_time;
    /* One trial after the other takes and gives back the same: the system need not know. A
     * sanitizer's allocator has nothing to set. */
    (void)mallopt(M_TRIM_THRESHOLD, MOST_KEPT);
    (void)mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT);
    failing_memory_start(0, false);
    json_set_alloc_funcs(failing_memory_allocate, failing_memory_release);
    if (library_memory_replace("libpq.so", &libpq) < 5) {
        fprintf(stderr, "libpq's own memory can't be replaced\n");
        exit(99);
    }
    fault_provider();
    (void)conv_uuid_v5(conv_uuid_namespace_dns(), conv_text("libcrypto is ready"));
}

long memory_sqlite_blocks(void)
{
    return atomic_load(&held);
}
