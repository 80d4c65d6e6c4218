/* The document service: register, read, find, track and delete. Holds no SQL. */
#ifndef CONV__SERVICES_DOCUMENTS_H
#define CONV__SERVICES_DOCUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "conversation/document.h"
#include "repositories/rows.h"
#include "repositories/store.h"
#include "services/pricing.h"

typedef enum conv__document_change {
    CONV__DOCUMENT_NONE, /* only a usage record was saved: its document is not there */
    CONV__DOCUMENT_REGISTERED,
    CONV__DOCUMENT_PROCESSED,
    CONV__DOCUMENT_DELETED
} conv__document_change;

/* What a call has committed, once for each change however often it was tried. Borrowed for the
 * call. */
typedef struct conv__document_news {
    conv__document_change change;
    const conv__usage_row *usage; /* of the operation; names the document. One that went with its
                                     session or user has no record, and this nothing but names */
    bool recorded;                /* that record was not in the store before */
} conv__document_news;

/* Hears of all that a call has committed, at once, on the caller's thread and after the commit. */
typedef struct conv__document_listener {
    void (*hear)(void *context, const conv__document_news *news, size_t count);
    void *context;
} conv__document_listener;

/* See the functions of the same name in conversation/document.h; `listener` may be NULL. */
CONV_WARN_UNUSED conv_status conv__documents_register(
    conv__store *store, const conv__prices *prices, const conv__document_listener *listener,
    int64_t deadline_ns, const conv_document_params *params, conv_document_page **document,
    conv_error *error);
CONV_WARN_UNUSED conv_status conv__documents_get(conv__store *store, int64_t deadline_ns,
                                                 const char *document_id, const char *session_id,
                                                 conv_document_page **document, conv_error *error);
CONV_WARN_UNUSED conv_status conv__documents_list(conv__store *store, int64_t deadline_ns,
                                                  const conv_document_filter *filter,
                                                  conv_document_page **page, conv_error *error);
CONV_WARN_UNUSED conv_status conv__documents_delete(conv__store *store,
                                                    const conv__document_listener *listener,
                                                    int64_t deadline_ns, const char *document_id,
                                                    const char *session_id,
                                                    conv_document_receipt *receipt,
                                                    conv_error *error);

/* Saves the record of an operation, which is complete and names its document, with the change of
 * that document. CONV_NOT_FOUND: there is none, and the record was saved. Else see
 * conv_operation_end. */
CONV_WARN_UNUSED conv_status conv__documents_track(conv__store *store,
                                                   const conv__document_listener *listener,
                                                   int64_t deadline_ns, const conv_usage *usage,
                                                   conv_error *error);

#endif
