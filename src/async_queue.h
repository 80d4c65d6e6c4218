/* What the client's other calls have to do with what was submitted to it. */
#ifndef CONV__ASYNC_QUEUE_H
#define CONV__ASYNC_QUEUE_H

#include <stddef.h>

#include "conversation/client.h"

typedef struct conv__async conv__async;

/* How many were submitted and are not settled yet. The caller is inside the client. */
size_t conv__async_unsettled(conv_client *client);

/* Ends the thread and drops results that nobody collected. Nothing submitted may be unsettled. NULL
 * is allowed. */
void conv__async_close(conv__async *async);

#endif
