/* Questions about usage. Holds no SQL. */
#ifndef CONV__SERVICES_REPORTS_H
#define CONV__SERVICES_REPORTS_H

#include "conversation/usage.h"
#include "repositories/store.h"

/* See the functions of the same name in conversation/usage.h. */
CONV_WARN_UNUSED conv_status conv__usage_records(conv__store *store, int64_t deadline_ns,
                                                 const conv_usage_filter *filter,
                                                 conv_usage_page **page, conv_error *error);
CONV_WARN_UNUSED conv_status conv__usage_sums(conv__store *store, int64_t deadline_ns,
                                              const conv_usage_filter *filter,
                                              conv_usage_group group, conv_usage_totals **totals,
                                              conv_error *error);

#endif
