/* What an operation cost: exact decimals, and no cost at all rather than a wrong one. */
#ifndef CONV__SERVICES_PRICING_H
#define CONV__SERVICES_PRICING_H

#include <stddef.h>

#include "conversation/client.h"
#include "conversation/usage.h"

typedef struct conv__prices conv__prices;

/* Copies and checks. CONV_INVALID_ARGUMENT: a price is not a decimal of at least 0 (its model is
 * named). CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__prices_create(const conv_price *prices, size_t count,
                                                 conv__prices **created, conv_error *error);

/* Sets the total of a record that has none and knows both parts; left unknown where it is too large
 * for a number. */
void conv__usage_add_up(conv_usage *usage);

/* Sets cost and price row of a record that has none yet. It stays unpriced if no row matches its
 * model, if a count that the price needs is unknown, or if the counts contradict each other. The
 * name of the price row is borrowed from `prices` (which may be NULL). */
void conv__prices_apply(const conv__prices *prices, conv_usage *usage);

void conv__prices_free(conv__prices *prices); /* NULL is allowed */

#endif
