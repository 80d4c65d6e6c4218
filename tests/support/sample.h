/* Exchanges and usage records as the services make them, for tests of what stores them. Fields may
 * be changed afterwards. Everything lives in the arena. */
#ifndef TESTS_SUPPORT_SAMPLE_H
#define TESTS_SUPPORT_SAMPLE_H

#include "conversation/message.h"
#include "core/memory.h"
#include "repositories/rows.h"

/* The sum of this over the records of n exchanges is n times it, exactly. */
#define SAMPLE_COST "0.0375"

/* An exchange with new ids of its own: a question, an answer, and a usage record of 10 tokens in
 * and 5 out. */
conv__exchange *sample_exchange(conv__arena *arena, const char *session_id, const char *question,
                                const char *answer);

/* The same with whole messages; ids and times are made where they are missing. The content hashes
 * are of all that makes a message different. */
conv__exchange *sample_exchange_of(conv__arena *arena, const char *session_id,
                                   const conv_message *messages, size_t count);

/* An exchange that failed: a question without answer. */
conv__exchange *sample_failed_exchange(conv__arena *arena, const char *session_id,
                                       const char *question);

/* A record with a new id; `usage` is as the application would give it. */
conv__usage_row *sample_usage(conv__arena *arena, const conv_usage *usage);

conv_message sample_message(conv_role role, const char *content);

conv_decimal sample_decimal(const char *text);

#endif
