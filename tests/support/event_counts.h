/* What handlers of events have got so far, and waiting for it. On the main thread only. */
#ifndef TESTS_SUPPORT_EVENT_COUNTS_H
#define TESTS_SUPPORT_EVENT_COUNTS_H

#include <stdatomic.h>
#include <stdint.h>

#include "conversation/events.h"
#include "events/bus.h"

/* Of one subscription, asked of a client or of the bus itself; it must be there. */
conv_subscription_counts event_counts(conv_client *client, uint64_t number);
conv_subscription_counts event_counts_of_bus(conv__bus *bus, uint64_t number);

/* Waits until a handler's count is as wanted, twenty seconds at most, and asserts that it is. */
void event_await(atomic_int *count, int wanted);

#endif
