#include "support/own_clock.h"

static _Atomic int64_t now_ns = 1000000000;

static int64_t read_clock(const conv__clock *clock)
{
    (void)clock;
    return now_ns;
}

const conv__clock *own_clock(void)
{
    static const conv__clock_functions functions = {.monotonic_ns = read_clock};
    static const conv__clock clock = {&functions};
    return &clock;
}

void own_clock_advance(int64_t ns)
{
    now_ns += ns;
}
