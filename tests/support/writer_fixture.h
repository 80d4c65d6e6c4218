/* What tests bring to the writer, on a mocked store. */
#ifndef TESTS_SUPPORT_WRITER_FIXTURE_H
#define TESTS_SUPPORT_WRITER_FIXTURE_H

#include <stdatomic.h>

#include "saving/writer.h"
#include "support/mock_store.h"

/* New, without a message. */
conv__exchange writer_exchange(void);
conv__save writer_input(const conv__exchange *exchange, int64_t timeout_ms);

/* One transaction at a time, of at most eight. */
conv__writer *writer_open(mock_store *mock, size_t queue);

/* As a batch of its own. */
conv_status writer_save_alone(mock_store *mock, conv__save *save);

/* A caller on a thread of its own; `context` is one. */
typedef struct late_caller {
    conv__writer *writer;
    int64_t timeout_ms;
    const conv__exchange *exchange; /* NULL: one of its own */
    conv__save save;
    atomic_bool done;
} late_caller;

void *late_caller_run(void *context);

#endif
