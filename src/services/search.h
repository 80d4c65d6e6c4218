/* The search service: queries, pages and snippets. Holds no SQL. */
#ifndef CONV__SERVICES_SEARCH_H
#define CONV__SERVICES_SEARCH_H

#include "conversation/search.h"
#include "repositories/store.h"

/* See the functions of the same name in conversation/search.h. `may_index` false: the store may
 * only be read. */
CONV_WARN_UNUSED conv_status conv__search(conv__store *store, int64_t timeout_ms, bool may_index,
                                          const conv_search_params *params, conv_search_page **page,
                                          conv_error *error);
CONV_WARN_UNUSED conv_status conv__search_index(conv__store *store, int64_t deadline_ns,
                                                bool *complete, conv_error *error);

/* After a deletion: takes the bytes of its words out of the store's index. Each step has
 * `timeout_ms`, because all of them take as long as the index is large. */
CONV_WARN_UNUSED conv_status conv__search_purge(conv__store *store, int64_t timeout_ms,
                                                conv_error *error);

#endif
