/* Operations: any metered piece of work of the application, measured from its begin to its end. */
#ifndef CONVERSATION_OPERATION_H
#define CONVERSATION_OPERATION_H

#include "client.h"
#include "status.h"
#include "usage.h"
#include "uuid.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An operation under way: a file that is parsed, a text that is embedded, a search. It leaves one
 * usage record, on every way out: conv_operation_end with how it went, or conv_operation_free
 * alone, which records it as interrupted. An operation whose numbers are all known needs no handle:
 * conv_track_usage records it in one call, and conv_document_track with its document. */
typedef struct conv_operation conv_operation;

/* Begins an operation. Its record's id and its time of begin are made here, before any work, so
 * that the record counts once however often its saving is tried.
 * `client` open client; it waits for the operation at conv_client_close, as for a call. `known`
 * what is known beforehand (see conv_usage): `operation`, its name, at least; ids, service, model,
 * provider, metadata; copied, so that the caller's texts may go. A nil log_id gets a new one, a
 * created_us of 0 is now; service absent means "documents" with a document_id, else "application".
 * `operation` receives the handle, to be freed with conv_operation_free; NULL after a failure;
 * `error` may be NULL. CONV_INVALID_ARGUMENT: no operation is named, metadata is no JSON object, or
 * nowhere to put the handle. CONV_LIMIT: a field is too large.
 * CONV_STATE: forked, or the client is being closed. CONV_NO_MEMORY. Thread: any. Round trips:
 * none. */
CONV_WARN_UNUSED conv_status conv_operation_begin(conv_client *client, const conv_usage *known,
                                                  conv_operation **operation, conv_error *error);

/* The id of the record, which is known from the begin on. Thread: owner. */
conv_uuid conv_operation_log_id(const conv_operation *operation);

/* Ends an operation and records it. `used` is how it went: status, counts, processed_bytes, price,
 * error, raw; what it leaves open (CONV_UNKNOWN, absent) of counts, user_email, model, provider and
 * metadata stays as it was at the begin. Its ids, time, service and operation are not looked at.
 * NULL: complete, and nothing more is known. The latency is measured, from the begin to the first
 * call of this, unless `used` knows it.
 * Without a document the record goes to the tracker (see conv_track_usage) and waits in the journal
 * where the store is away. With a document_id it is saved in one transaction with the change of the
 * document, whose last_operation, last_status and updated_us it sets: then CONV_OK means committed,
 * and told as document.processed and usage.recorded (see events.h). After CONV_OK and
 * CONV_NOT_FOUND the operation has ended; after any other failure it has not, and the call may be
 * repeated: the same record counts once. CONV_NOT_FOUND: there is no such document in this session;
 * the record was saved all the same. CONV_INVALID_ARGUMENT: no operation, a JSON field is not JSON,
 * a count is none (see conv_usage). CONV_STATE: it has ended already; or forked. CONV_UNAVAILABLE,
 * CONV_TIMEOUT: with a document, the store is away and nothing was recorded (unless
 * error->outcome_unknown), also with a journal; without one, the journal's disk failed. CONV_LIMIT:
 * no connection became free, or the tracker's buffer is full. CONV_PERMISSION, CONV_BAD_DATA: the
 * store refuses. CONV_NO_MEMORY. Thread: owner. Round trips: none; with a document 1. */
CONV_WARN_UNUSED conv_status conv_operation_end(conv_operation *operation, const conv_usage *used,
                                                conv_error *error);

/* Frees the operation. One that was never ended is recorded first, as interrupted, with the time it
 * took so far, and with a document_id in one transaction with the document, as conv_operation_end
 * does; where the store does not take that, the record alone goes to the tracker. One whose end
 * failed is recorded as it was ended, by the tracker: the document is then not changed. So with a
 * journal nothing is lost while the store is away.
 * `operation` NULL is allowed; it is gone whatever the answer; `error` may be NULL. CONV_OK also
 * where there was nothing left to record. A failure says that the record is lost:
 * CONV_LIMIT, CONV_UNAVAILABLE: the tracker or its journal is full. CONV_NO_MEMORY. In a forked
 * child it frees memory only. Thread: owner. Round trips: none; 1 with a document and no end. */
conv_status conv_operation_free(conv_operation *operation, conv_error *error);

#ifdef __cplusplus
}
#endif
#endif
