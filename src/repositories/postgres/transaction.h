/* A PostgreSQL transaction: a leased connection and what waits to be sent on it. */
#ifndef CONV__REPOSITORIES_POSTGRES_TRANSACTION_H
#define CONV__REPOSITORIES_POSTGRES_TRANSACTION_H

#include "core/memory.h"
#include "db/postgres/pipeline.h"
#include "db/postgres/pool.h"
#include "repositories/store.h"

conv_status conv__postgres_begin(conv__store *store, conv__pool *pool, conv__transaction_mode mode,
                                 int64_t deadline_ns, conv__transaction **transaction,
                                 conv_error *error);
conv_status conv__postgres_commit(conv__transaction *transaction, conv_error *error);
void conv__postgres_rollback(conv__transaction *transaction);

/* No parameters yet, in memory that the connection keeps: for those that are large again and again.
 */
conv__parameters conv__postgres_parameters(conv__transaction *transaction);

/* Queues one execution of `statement` and takes over `parameters`, whatever the answer. Several
 * that are asked together see the same moment. CONV_NO_MEMORY; CONV_LIMIT: they are too large for
 * one message of the protocol. */
CONV_WARN_UNUSED conv_status conv__postgres_queue(conv__transaction *transaction,
                                                  const conv__statement *statement,
                                                  conv__parameters *parameters,
                                                  conv__receiver receive, void *context,
                                                  conv_error *error);

/* Sends what is queued and waits for its rows, without committing. A read that finds its connection
 * dead is repeated once on a new one, so receivers must start afresh. */
CONV_WARN_UNUSED conv_status conv__postgres_ask(conv__transaction *transaction, conv_error *error);

/* Zeroed memory that lives until the transaction ends; NULL when out of memory. */
void *conv__postgres_scratch(conv__transaction *transaction, size_t size);

#endif
