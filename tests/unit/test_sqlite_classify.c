/* What each of SQLite's result codes means for a caller. */
#include "support/test.h"

#include <errno.h>
#include <sqlite3.h>

#include "db/sqlite/classify.h"

static const struct {
    int code;
    conv_status status;
    conv_recovery recovery;
} wanted[] = {
    {SQLITE_OK, CONV_OK, CONV_RECOVERY_NONE},
    {SQLITE_ROW, CONV_OK, CONV_RECOVERY_NONE},
    {SQLITE_DONE, CONV_OK, CONV_RECOVERY_NONE},
    {SQLITE_ERROR, CONV_INTERNAL, CONV_RECOVERY_OPERATOR},
    {SQLITE_INTERNAL, CONV_INTERNAL, CONV_RECOVERY_OPERATOR},
    {SQLITE_PERM, CONV_PERMISSION, CONV_RECOVERY_OPERATOR},
    {SQLITE_ABORT, CONV_UNAVAILABLE, CONV_RECOVERY_RETRY},
    {SQLITE_ABORT_ROLLBACK, CONV_UNAVAILABLE, CONV_RECOVERY_RETRY},
    {SQLITE_BUSY, CONV_TIMEOUT, CONV_RECOVERY_BACKOFF},
    {SQLITE_BUSY_RECOVERY, CONV_TIMEOUT, CONV_RECOVERY_BACKOFF},
    {SQLITE_BUSY_TIMEOUT, CONV_TIMEOUT, CONV_RECOVERY_BACKOFF},
    {SQLITE_BUSY_SNAPSHOT, CONV_UNAVAILABLE, CONV_RECOVERY_RETRY},
    {SQLITE_LOCKED, CONV_TIMEOUT, CONV_RECOVERY_BACKOFF},
    {SQLITE_LOCKED_SHAREDCACHE, CONV_TIMEOUT, CONV_RECOVERY_BACKOFF},
    {SQLITE_NOMEM, CONV_NO_MEMORY, CONV_RECOVERY_NONE},
    {SQLITE_READONLY, CONV_PERMISSION, CONV_RECOVERY_OPERATOR},
    {SQLITE_READONLY_CANTLOCK, CONV_PERMISSION, CONV_RECOVERY_OPERATOR},
    {SQLITE_READONLY_CANTINIT, CONV_PERMISSION, CONV_RECOVERY_OPERATOR},
    {SQLITE_READONLY_DIRECTORY, CONV_PERMISSION, CONV_RECOVERY_OPERATOR},
    {SQLITE_READONLY_DBMOVED, CONV_UNAVAILABLE, CONV_RECOVERY_OPERATOR},
    {SQLITE_INTERRUPT, CONV_TIMEOUT, CONV_RECOVERY_BACKOFF},
    {SQLITE_IOERR, CONV_UNAVAILABLE, CONV_RECOVERY_OPERATOR},
    {SQLITE_IOERR_READ, CONV_UNAVAILABLE, CONV_RECOVERY_OPERATOR},
    {SQLITE_IOERR_SHORT_READ, CONV_UNAVAILABLE, CONV_RECOVERY_OPERATOR},
    {SQLITE_IOERR_WRITE, CONV_UNAVAILABLE, CONV_RECOVERY_OPERATOR},
    {SQLITE_IOERR_FSYNC, CONV_UNAVAILABLE, CONV_RECOVERY_OPERATOR},
    {SQLITE_IOERR_DIR_FSYNC, CONV_UNAVAILABLE, CONV_RECOVERY_OPERATOR},
    {SQLITE_IOERR_SHMMAP, CONV_UNAVAILABLE, CONV_RECOVERY_OPERATOR},
    {SQLITE_IOERR_LOCK, CONV_UNAVAILABLE, CONV_RECOVERY_OPERATOR},
    {SQLITE_IOERR_NOMEM, CONV_NO_MEMORY, CONV_RECOVERY_NONE},
    {SQLITE_IOERR_DATA, CONV_BAD_DATA, CONV_RECOVERY_OPERATOR},
    {SQLITE_IOERR_CORRUPTFS, CONV_BAD_DATA, CONV_RECOVERY_OPERATOR},
    {SQLITE_CORRUPT, CONV_BAD_DATA, CONV_RECOVERY_OPERATOR},
    {SQLITE_CORRUPT_INDEX, CONV_BAD_DATA, CONV_RECOVERY_OPERATOR},
    {SQLITE_NOTFOUND, CONV_UNAVAILABLE, CONV_RECOVERY_OPERATOR},
    {SQLITE_FULL, CONV_UNAVAILABLE, CONV_RECOVERY_OPERATOR},
    {SQLITE_CANTOPEN, CONV_UNAVAILABLE, CONV_RECOVERY_OPERATOR},
    {SQLITE_CANTOPEN_ISDIR, CONV_UNAVAILABLE, CONV_RECOVERY_OPERATOR},
    {SQLITE_PROTOCOL, CONV_UNAVAILABLE, CONV_RECOVERY_BACKOFF},
    {SQLITE_SCHEMA, CONV_UNAVAILABLE, CONV_RECOVERY_RETRY},
    {SQLITE_TOOBIG, CONV_LIMIT, CONV_RECOVERY_REJECT},
    {SQLITE_CONSTRAINT, CONV_BAD_DATA, CONV_RECOVERY_REJECT},
    {SQLITE_CONSTRAINT_CHECK, CONV_BAD_DATA, CONV_RECOVERY_REJECT},
    {SQLITE_CONSTRAINT_NOTNULL, CONV_BAD_DATA, CONV_RECOVERY_REJECT},
    {SQLITE_CONSTRAINT_PRIMARYKEY, CONV_BAD_DATA, CONV_RECOVERY_REJECT},
    {SQLITE_CONSTRAINT_UNIQUE, CONV_BAD_DATA, CONV_RECOVERY_REJECT},
    {SQLITE_CONSTRAINT_DATATYPE, CONV_BAD_DATA, CONV_RECOVERY_REJECT},
    {SQLITE_MISMATCH, CONV_BAD_DATA, CONV_RECOVERY_REJECT},
    {SQLITE_MISUSE, CONV_INTERNAL, CONV_RECOVERY_OPERATOR},
    {SQLITE_NOLFS, CONV_LIMIT, CONV_RECOVERY_OPERATOR},
    {SQLITE_AUTH, CONV_PERMISSION, CONV_RECOVERY_OPERATOR},
    {SQLITE_FORMAT, CONV_BAD_DATA, CONV_RECOVERY_OPERATOR},
    {SQLITE_RANGE, CONV_INTERNAL, CONV_RECOVERY_OPERATOR},
    {SQLITE_NOTADB, CONV_BAD_DATA, CONV_RECOVERY_OPERATOR},
    /* None of SQLite's: never dropped, never retried for ever. */
    {99, CONV_INTERNAL, CONV_RECOVERY_OPERATOR},
    {99 | 5 << 8, CONV_INTERNAL, CONV_RECOVERY_OPERATOR},
    {-1, CONV_INTERNAL, CONV_RECOVERY_OPERATOR},
    {INT32_MAX, CONV_INTERNAL, CONV_RECOVERY_OPERATOR},
    {INT32_MIN, CONV_INTERNAL, CONV_RECOVERY_OPERATOR},
};

static void test_each_code_has_its_meaning(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        conv__sqlite_meaning got = conv__sqlite_classify(wanted[i].code, 0);
        if (got.status != wanted[i].status || got.recovery != wanted[i].recovery)
            fail_msg("code %d: %s and recovery %d", wanted[i].code, conv_status_name(got.status),
                     (int)got.recovery);
        assert_non_null(got.text);
        assert_true(strlen(got.text) > 0);
    }
}

/* Whatever SQLite adds to a code: no failure may look like success. */
static void test_only_success_is_ok(void **state)
{
    (void)state;
    for (int code = 0; code < 1 << 16; code++) {
        int primary = code & 0xFF;
        bool success = primary == SQLITE_OK || primary == SQLITE_ROW || primary == SQLITE_DONE;
        if ((conv__sqlite_classify(code, 0).status == CONV_OK) != success)
            fail_msg("code %d", code);
    }
}

static void a_full_disk_behind_another_code(void **state)
{
    (void)state;
    static const int codes[] = {SQLITE_IOERR, SQLITE_IOERR_WRITE, SQLITE_IOERR_SHMSIZE,
                                SQLITE_IOERR_FSYNC, SQLITE_CANTOPEN};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        const char *full = conv__sqlite_classify(SQLITE_FULL, 0).text;
        assert_string_equal(conv__sqlite_classify(codes[i], ENOSPC).text, full);
        assert_string_equal(conv__sqlite_classify(codes[i], EDQUOT).text, full);
        assert_string_not_equal(conv__sqlite_classify(codes[i], EIO).text, full);
    }
    assert_int_equal(conv__sqlite_classify(SQLITE_BUSY, ENOSPC).status, CONV_TIMEOUT);
    assert_int_equal(conv__sqlite_classify(SQLITE_OK, ENOSPC).status, CONV_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_code_has_its_meaning),
        cmocka_unit_test(test_only_success_is_ok),
        cmocka_unit_test(a_full_disk_behind_another_code),
    };
    return RUN_TESTS("sqlite classify", tests);
}
