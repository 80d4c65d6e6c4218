/* What a spool says when its disk does not take a record. */
#include "support/test.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "core/buffer.h"
#include "saving/spool.h"
#include "support/saving_fixture.h"

static void a_full_disk_is_told_with_the_file(void **state)
{
    saving_fixture *test = *state;
    conv__spool spool = {.descriptor = -1};
    conv__buffer name = {0};
    conv__buffer content = {0};
    conv_error error;
    struct rlimit before;
    conv__spool_name(test->path, 0, &name);
    assert_ok(conv__spool_open(name.data, &spool, &content, &error), error);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    conv_status status = conv__spool_append(&spool, conv_text("record"), &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_status(status, CONV_UNAVAILABLE, error);
    assert_int_equal(error.recovery, CONV_RECOVERY_OPERATOR);
    assert_non_null(strstr(error.message, name.data));
    assert_ok(conv__spool_append(&spool, conv_text("record"), &error), error);
    assert_int_equal(spool.size, 6);
    conv__spool_close(&spool);
    conv__buffer_free(&name);
    conv__buffer_free(&content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SAVING(a_full_disk_is_told_with_the_file),
    };
    return RUN_TESTS("spool", tests);
}
