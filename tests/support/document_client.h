/* A client on the store of a contract suite, with a journal, for tests of documents and operations.
 * On the main thread only. */
#ifndef TESTS_SUPPORT_DOCUMENT_CLIENT_H
#define TESTS_SUPPORT_DOCUMENT_CLIENT_H

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/store.h"

/* Group setup and teardown; a test's setup, which empties the tables. */
int document_client_setup(void **state);
int document_client_teardown(void **state);
int document_client_clear(void **state);

extern conv_client *document_client;
extern conv_error document_error;

/* One more client on the store, without a journal. */
conv_client *document_client_open(void);

/* A PDF of 4096 bytes, brought by ann. */
conv_document_params document_params(const char *id, const char *session_id);
void document_registered(const char *id, const char *session_id);

/* A page of exactly this document. */
conv_document_page *document_get(const char *id, const char *session_id);

/* What is known of an operation at its begin. */
conv_usage document_usage(const char *operation, const char *id, const char *session_id);
conv_operation *document_begin(const conv_usage *known);

/* The value of SQL beside the library must be this. */
void document_assert_value(const char *sql, const char *wanted);

#endif
