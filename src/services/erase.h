/* Deleting sessions and erasing users, in the store and in the journal. Holds no SQL. */
#ifndef CONV__SERVICES_ERASE_H
#define CONV__SERVICES_ERASE_H

#include "conversation/session.h"
#include "saving/saving.h"
#include "saving/tracker.h"
#include "services/documents.h"

/* See conv_session_delete; `listener` hears of each document that went along, whose record names
 * it and holds nothing else. */
CONV_WARN_UNUSED conv_status conv__session_delete(conv__saving *saving,
                                                  const conv__document_listener *listener,
                                                  int64_t deadline_ns, const char *session_id,
                                                  conv_delete_receipt *receipt, conv_error *error);

/* See conv_user_erase; `listener` likewise. */
CONV_WARN_UNUSED conv_status conv__user_erase(conv__saving *saving, conv__tracker *tracker,
                                              const conv__document_listener *listener,
                                              int64_t deadline_ns, const char *user_id,
                                              conv_erase_receipt *receipt, conv_error *error);

#endif
