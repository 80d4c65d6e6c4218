/* What closing a client has to do with what was submitted to it. */
#ifndef CONV__ASYNC_QUEUE_H
#define CONV__ASYNC_QUEUE_H

typedef struct conv__async conv__async;

/* Ends the thread and drops results that nobody collected. Nothing submitted may be unsettled. NULL
 * is allowed. */
void conv__async_close(conv__async *async);

#endif
