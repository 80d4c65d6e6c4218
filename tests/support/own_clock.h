/* A monotonic clock that stands still until the test moves it. */
#ifndef TESTS_SUPPORT_OWN_CLOCK_H
#define TESTS_SUPPORT_OWN_CLOCK_H

#include "core/time.h"

const conv__clock *own_clock(void);
void own_clock_advance(int64_t ns);

#endif
