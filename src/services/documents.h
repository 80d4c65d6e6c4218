/* The document service: register, read, find, track and delete. Holds no SQL. */
#ifndef CONV__SERVICES_DOCUMENTS_H
#define CONV__SERVICES_DOCUMENTS_H

#include "conversation/document.h"
#include "repositories/store.h"
#include "services/pricing.h"

/* See the functions of the same name in conversation/document.h. */
CONV_WARN_UNUSED conv_status conv__documents_register(
    conv__store *store, const conv__prices *prices, int64_t deadline_ns,
    const conv_document_params *params, conv_document_page **document, conv_error *error);
CONV_WARN_UNUSED conv_status conv__documents_get(conv__store *store, int64_t deadline_ns,
                                                 const char *document_id, const char *session_id,
                                                 conv_document_page **document, conv_error *error);
CONV_WARN_UNUSED conv_status conv__documents_list(conv__store *store, int64_t deadline_ns,
                                                  const conv_document_filter *filter,
                                                  conv_document_page **page, conv_error *error);
CONV_WARN_UNUSED conv_status conv__documents_delete(conv__store *store, int64_t deadline_ns,
                                                    const char *document_id, const char *session_id,
                                                    conv_document_receipt *receipt,
                                                    conv_error *error);

/* Saves the record of an operation, which is complete and names its document, with the change of
 * that document. CONV_NOT_FOUND: there is none, and the record was saved. Else see
 * conv_operation_end. */
CONV_WARN_UNUSED conv_status conv__documents_track(conv__store *store, int64_t deadline_ns,
                                                   const conv_usage *usage, conv_error *error);

#endif
