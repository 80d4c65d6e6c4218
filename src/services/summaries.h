/* The summary service: makes, keeps and reads summaries. Holds no SQL. */
#ifndef CONV__SERVICES_SUMMARIES_H
#define CONV__SERVICES_SUMMARIES_H

#include "conversation/summary.h"
#include "conversation/turn.h"
#include "repositories/store.h"
#include "saving/report.h"
#include "saving/tracker.h"
#include "services/pricing.h"
#include "services/provider_calls.h"

/* What the service works with; all of it is borrowed. Defaults are filled in already. */
typedef struct conv__summaries {
    conv__store *store;
    conv__tracker *tracker; /* for the usage record of a summary that could not be saved */
    const conv__prices *prices;
    conv__bus *bus;
    conv_provider *provider; /* NULL: none can be made */
    conv__provider_calls *provider_calls;
    conv__redaction redaction; /* of what is sent, and of what is kept of the answer */
    const char *model;
    int64_t summary_tokens; /* uncovered ones that ask for a summary; it leaves half of them out */
    int64_t most_tokens;    /* of what one summary is made of */
    int64_t store_timeout_ms;
    int64_t turn_timeout_ms;
} conv__summaries;

/* See conv_summary_make. `wanted` (may be NULL) is asked while the provider answers; anything but 0
 * from it ends that. `behind` (may be NULL): a summary was made, and what it leaves uncovered
 * is enough for another one. */
CONV_WARN_UNUSED conv_status conv__summaries_make(const conv__summaries *service,
                                                  conv_uuid session_id, conv_delta_function wanted,
                                                  void *context, conv_summary_page **page,
                                                  bool *behind, conv_error *error);

/* Tells of the summary that was made, if there is one. `here`: on the caller's own thread, else
 * from a thread of the library. */
void conv__summaries_tell(const conv__summaries *service, const conv_summary_page *page, bool here);

/* See conv_summary_list. */
CONV_WARN_UNUSED conv_status conv__summaries_list(conv__store *store, int64_t deadline_ns,
                                                  const conv_summary_filter *filter,
                                                  conv_summary_page **page, conv_error *error);

#endif
