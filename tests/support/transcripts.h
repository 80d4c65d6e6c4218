/* Parsing and writing transcripts in tests. */
#ifndef TESTS_SUPPORT_TRANSCRIPTS_H
#define TESTS_SUPPORT_TRANSCRIPTS_H

#include "conversation/transcript.h"

/* The transcript of a line; fails the test if there is none. To be freed by the test. */
conv_transcript *transcript_of(const char *line);

/* Fails the test unless the line is refused with BAD_DATA and this message. */
void assert_no_transcript(const char *line, const char *message);

/* What the library writes for the transcript, as a C string to be freed. `size` may be NULL. */
char *transcript_written(const conv_transcript *transcript, size_t *size);

/* "role:content" of all messages, with "|" between them; static. */
const char *transcript_texts(const conv_transcript *transcript);

#endif
