/* What closing a client has to do with what was submitted to it. */
#ifndef CONV__ASYNC_QUEUE_H
#define CONV__ASYNC_QUEUE_H

#include <stdint.h>

typedef struct conv__async conv__async;

/* What was submitted is to be settled within the time; what is not saved by then goes into the
 * journal where there is one. NULL is allowed. */
void conv__async_hurry(conv__async *async, int64_t timeout_ms);

/* Ends the thread and drops results that nobody collected. Nothing submitted may be unsettled. NULL
 * is allowed. */
void conv__async_close(conv__async *async);

#endif
