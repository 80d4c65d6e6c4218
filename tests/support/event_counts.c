/* See event_counts.h. */
#include "support/event_counts.h"

#include <unistd.h>

#include "support/test.h"

enum { LOOK_US = 5000, LOOKS = 4000 };

conv_subscription_counts event_counts(conv_client *client, uint64_t number)
{
    conv_error error;
    conv_subscription_counts counts = {0};
    assert_ok(conv_event_count(client, number, &counts, &error), error);
    return counts;
}

conv_subscription_counts event_counts_of_bus(conv__bus *bus, uint64_t number)
{
    conv_error error;
    conv_subscription_counts counts = {0};
    assert_ok(conv__bus_count_one(bus, number, &counts, &error), error);
    return counts;
}

void event_await(atomic_int *count, int wanted)
{
    for (int i = 0; i < LOOKS && atomic_load(count) < wanted; i++)
        usleep(LOOK_US);
    assert_int_equal(atomic_load(count), wanted);
}
