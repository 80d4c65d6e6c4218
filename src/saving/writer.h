/* The writer: exchanges of concurrent callers share a transaction (group commit). */
#ifndef CONV__SAVING_WRITER_H
#define CONV__SAVING_WRITER_H

#include <stddef.h>

#include "conversation/status.h"
#include "saving/batch.h"

typedef struct conv__writer conv__writer;

typedef struct conv__writer_params {
    conv__store *store;
    int leaders;            /* transactions under way at once; at least 1 */
    size_t batch_exchanges; /* in one transaction at most */
    size_t batch_bytes;     /* likewise, but a single exchange may be larger */
    size_t queue_exchanges; /* waiting at most; further callers wait for room */
} conv__writer_params;

/* CONV_NO_MEMORY. The store must outlive the writer. */
CONV_WARN_UNUSED conv_status conv__writer_create(const conv__writer_params *params,
                                                 conv__writer **writer, conv_error *error);

/* Saves one exchange, together with those of other callers, and gives back what became of it, which
 * also stands in `save`. CONV_LIMIT, CONV_TIMEOUT: see conv__group_do. Else see conv__batch_try.
 * Thread: any. */
CONV_WARN_UNUSED conv_status conv__writer_save(conv__writer *writer, conv__save *save);

/* Saves exchanges that one caller brings together, beside what others save. See conv__batch_save,
 * which also says what may come together. Thread: any. */
void conv__writer_save_many(conv__writer *writer, conv__save **saves, size_t count);

/* Exchanges that no transaction has taken along yet. Thread: any. */
size_t conv__writer_waiting(conv__writer *writer);

/* NULL is allowed. Nobody may be saving. */
void conv__writer_free(conv__writer *writer);

#endif
