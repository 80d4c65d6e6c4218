/* When to try again. Knows errors and time, not what is being saved. */
#include "saving/retry.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "core/time.h"

enum {
    RETRIES = 3,
    CONTENTION_RETRIES = 5,
    BACKOFF_RETRIES = 5,
    SHUTDOWN_PAUSE_MS = 100,
    BACKOFF_BASE_MS = 50,
    BACKOFF_LIMIT_MS = 30000,
    CONTENTION_BASE_MS = 5
};

static bool has_state(const conv_error *error, const char *sqlstate)
{
    return strcmp(error->sqlstate, sqlstate) == 0;
}

static int64_t with_jitter(int64_t pause_ms, uint32_t random)
{
    return pause_ms / 2 + (int64_t)(random % (uint32_t)(pause_ms / 2 + 1));
}

static int64_t doubled(int64_t base_ms, int failures)
{
    int64_t pause = base_ms;
    for (int i = 1; i < failures && pause < BACKOFF_LIMIT_MS; i++)
        pause *= 2;
    return pause < BACKOFF_LIMIT_MS ? pause : BACKOFF_LIMIT_MS;
}

bool conv__retry_after(const conv_error *error, int failures, uint32_t random, int64_t *pause_ms)
{
    bool contention = has_state(error, "40001") || has_state(error, "40P01");
    bool shutdown = strncmp(error->sqlstate, "57P0", 4) == 0;
    switch (error->recovery) {
    case CONV_RECOVERY_RETRY:
        if (failures > (contention ? CONTENTION_RETRIES : RETRIES)) return false;
        *pause_ms = shutdown     ? SHUTDOWN_PAUSE_MS
                    : contention ? with_jitter(doubled(CONTENTION_BASE_MS, failures), random)
                    : failures == 1
                        ? 0 /* an idle connection that had died: the next one is fresh */
                        : with_jitter(doubled(BACKOFF_BASE_MS, failures - 1), random);
        return true;
    case CONV_RECOVERY_BACKOFF:
        if (failures > BACKOFF_RETRIES) return false;
        *pause_ms = with_jitter(doubled(BACKOFF_BASE_MS, failures), random);
        return true;
    case CONV_RECOVERY_NONE:
    case CONV_RECOVERY_WAIT:
    case CONV_RECOVERY_OPERATOR:
    case CONV_RECOVERY_REJECT:
        return false;
    }
    return false;
}

bool conv__failure_of_row(const conv_error *error)
{
    /* Logging in, the database, the schema, resources, an administrator, its disk, damage. */
    static const char *const of_all[] = {"08", "28", "3D", "3F",    "42",
                                         "53", "57", "58", "XX001", "XX002"};
    static const char missing_right[] = "42501"; /* also a policy that a row does not pass */
    if (error->recovery == CONV_RECOVERY_REJECT) return true;
    if (strcmp(error->sqlstate, missing_right) == 0) return true;
    if (error->recovery != CONV_RECOVERY_OPERATOR || error->sqlstate[0] == '\0') return false;
    for (size_t i = 0; i < sizeof of_all / sizeof of_all[0]; i++)
        if (strncmp(error->sqlstate, of_all[i], strlen(of_all[i])) == 0) return false;
    return true;
}

bool conv__failure_of_time(const conv_error *error)
{
    return error->status == CONV_TIMEOUT || error->status == CONV_LIMIT;
}

bool conv__retry_sleep(int64_t pause_ms, int64_t deadline_ns, const conv__latest *latest)
{
    int64_t until_ns = conv__deadline_in_ms(pause_ms);
    for (;;) {
        int64_t end_ns = conv__deadline_within(deadline_ns, latest);
        if (conv__deadline_passed(end_ns)) return false;
        int left_ms = conv__deadline_left_ms(until_ns < end_ns ? until_ns : end_ns);
        if (left_ms == 0) return true;
        if (left_ms > CONV__LATEST_CHECK_MS) left_ms = CONV__LATEST_CHECK_MS;
        struct timespec pause = {0, left_ms * 1000000L};
        nanosleep(&pause, NULL);
    }
}

uint32_t conv__retry_random(void)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
        random = (uint32_t)conv__monotonic_ns();
    return random;
}
