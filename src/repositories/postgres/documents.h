/* The document repository on PostgreSQL: its functions, and all of its statements. */
#ifndef CONV__REPOSITORIES_POSTGRES_DOCUMENTS_H
#define CONV__REPOSITORIES_POSTGRES_DOCUMENTS_H

#include "db/postgres/result.h"
#include "db/postgres/statement.h"
#include "repositories/documents.h"

extern const conv__document_repository_functions conv__postgres_document_functions;

/* Receives document_id, session_id and user_id of each row into conv__gone_documents. */
conv_status conv__postgres_receive_gone(void *context, const conv__result *result,
                                        conv_error *error);

/* Ends with a NULL name. */
extern const conv__statement conv__postgres_document_statements[];

#endif
