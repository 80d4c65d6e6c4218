/* What the measuring programs share: words of the command line, samples, a way to stop. */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/conversation.h"

/* Says what happened on standard error and ends the program: a figure that is half measured is
 * none. */
_Noreturn void give_up(const char *what, const conv_error *error);

/* The value of --NAME, or `fallback`. Ends the program if the last word lacks its value. */
const char *option_text(int count, char **words, const char *name, const char *fallback);
int64_t option_number(int count, char **words, const char *name, int64_t fallback);
bool option_given(int count, char **words, const char *name);

/* Questions and answers to save, read from a file of transcripts with one exchange each. */
typedef struct sample_set {
    size_t count;
    conv_transcript **transcripts;
    conv_bytes *questions;
    conv_bytes *answers;
} sample_set;

void samples_read(const char *path, sample_set *samples);
void samples_free(sample_set *samples);

/* A UUID of version 7's form, the same for the same numbers: `group` tells kinds apart. */
typedef struct uuid_text {
    char text[37];
} uuid_text;
uuid_text uuid_of(unsigned group, unsigned caller, uint64_t number);

/* The usage record that every competitor saves with an exchange; the model has a price. */
#define BENCH_MODEL "gpt-4o"
extern const conv_price bench_price;
void fill_usage(conv_usage *usage, conv_bytes question, conv_bytes answer);

/* Each session has so many exchanges. */
enum { SESSION_EXCHANGES = 10 };

/* Which sample is a caller's exchange of that number: all of them in turn, each caller beginning
 * elsewhere. */
size_t sample_of(const sample_set *samples, unsigned caller, uint64_t number);

/* An exchange, and what it points to; not to be moved. */
typedef struct one_exchange {
    conv_exchange exchange;
    conv_message messages[2];
    uuid_text session;
    uuid_text user;
} one_exchange;

void make_exchange(const sample_set *samples, unsigned caller, uint64_t number, one_exchange *made);

#endif
