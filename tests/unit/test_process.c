/* A forked child is another process, also to whoever asked before it was forked. */
#include "support/test.h"

#include <sys/wait.h>
#include <unistd.h>

#include "core/process.h"

static void a_forked_child_is_another_process(void **state)
{
    (void)state;
    _Atomic uint64_t *number = conv__process_number();
    assert_int_equal(conv__process_id(), getpid());
    assert_int_equal(conv__process_id(), getpid());
    if (number != NULL) atomic_store(number, 7);
    pid_t child = fork();
    if (child == 0) {
        bool other = conv__process_id() == getpid() && conv__process_id() == getpid() &&
                     (number == NULL || atomic_load(number) == 0);
        _exit(other ? 0 : 1);
    }
    int result = 1;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    assert_int_equal(conv__process_id(), getpid());
    if (number != NULL) assert_int_equal(atomic_load(number), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_forked_child_is_another_process)};
    return RUN_TESTS("process", tests);
}
