/* The thread that makes summaries after turns: one at a time, from a bounded queue. A turn never
 * waits for it, and never hears of its failures. */
#ifndef CONV__SERVICES_SUMMARIZER_H
#define CONV__SERVICES_SUMMARIZER_H

#include "conversation/summary.h"
#include "services/summaries.h"

typedef struct conv__summarizer conv__summarizer;

typedef struct conv__summarizer_params {
    conv__summaries service;
    /* Around each summary, so that whoever ends the client waits for it; `enter` false: it ends. */
    bool (*enter)(void *client);
    void (*leave)(void *client);
    void *client;
} conv__summarizer_params;

/* NULL when out of memory. The thread begins with the first session that is offered. */
conv__summarizer *conv__summarizer_create(const conv__summarizer_params *params);

/* Asks for a summary of the session, unless one is asked for already. Never blocks. NULL is
 * allowed. Thread: any. */
void conv__summarizer_offer(conv__summarizer *summarizer, conv_uuid session_id);

/* NULL gives zeros. */
conv_summary_counts conv__summarizer_count(conv__summarizer *summarizer);

/* Begins nothing more, and tells a provider that answers that nobody wants it any more. */
void conv__summarizer_stop(conv__summarizer *summarizer);

/* After stop, when nothing is under way any more. NULL is allowed. */
void conv__summarizer_free(conv__summarizer *summarizer);

#endif
