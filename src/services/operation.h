/* One operation between its begin and its end: what its usage record is made of. Where the record
 * goes is not decided here. */
#ifndef CONV__SERVICES_OPERATION_H
#define CONV__SERVICES_OPERATION_H

#include <stdbool.h>

#include "conversation/status.h"
#include "conversation/usage.h"
#include "core/memory.h"

typedef struct conv__operation {
    conv__arena known_texts;
    conv__arena record_texts;
    conv_usage known;  /* at the begin; always a record that rows can be made of */
    conv_usage record; /* what is to be saved, once `ending` */
    int64_t begun_ns;
    int64_t latency_ms; /* CONV_UNKNOWN until the first end */
    bool ending;        /* `record` holds an end that was tried */
} conv__operation;

/* CONV_INVALID_ARGUMENT, CONV_LIMIT, CONV_NO_MEMORY: nothing to free. */
CONV_WARN_UNUSED conv_status conv__operation_begin(conv__operation *operation,
                                                   const conv_usage *known, conv_error *error);

/* Makes `record` of what was known and what was used (NULL: complete). After a failure it is as if
 * nobody had tried. */
CONV_WARN_UNUSED conv_status conv__operation_finish(conv__operation *operation,
                                                    const conv_usage *used, conv_error *error);

/* Makes `record` for one that nobody ended, or leaves that of the end that was tried. */
void conv__operation_interrupt(conv__operation *operation);

void conv__operation_reset(conv__operation *operation);

#endif
