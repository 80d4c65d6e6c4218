/* What the turns of a fault campaign say: all of it follows from a few numbers, so that a checker
 * can make it again and compare. It saves nothing. */
#ifndef TESTS_FAULT_CONTENT_H
#define TESTS_FAULT_CONTENT_H

#include <stdbool.h>
#include <stdint.h>

#include "conversation/turn.h"

/* Two turns with equal numbers but another `variant` are other content under the same id. */
typedef struct fault_turn {
    uint64_t session;
    uint64_t turn; /* in its session */
    uint32_t variant;
    uint32_t bytes; /* of each of the two texts, about; at least what the numbers take */
} fault_turn;

enum { FAULT_ID_SIZE = 32 };

void fault_session_id(uint64_t session, char id[FAULT_ID_SIZE]);
void fault_turn_id(uint64_t turn, char id[FAULT_ID_SIZE]);

/* The id of the turn's record when it is tracked instead of saved. */
conv_uuid fault_log_id(const fault_turn *turn);

/* What the user says (`reply` false) and the answer to it; on the heap. */
char *fault_text(const fault_turn *turn, bool reply);

/* Reads the numbers back from the beginning of a text. */
bool fault_read_text(const char *text, fault_turn *turn, bool *reply);

/* Tokens and cost of a turn, nothing else set. */
conv_usage fault_usage(const fault_turn *turn);

/* A provider that answers each text of fault_text with its reply; never freed. */
conv_provider *fault_provider(void);

/* Called before each of its answers, on the thread that asks; NULL: nothing. */
void fault_watch_questions(void (*watch)(const fault_turn *turn));

/* Its answers wait from now on, or go on; and waits until it is asked while they wait. */
void fault_hold_answers(bool hold);
void fault_await_question(void);

/* A pseudo-random number; splitmix64. */
uint64_t fault_random(uint64_t *state);

#endif
