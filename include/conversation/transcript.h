/* Transcripts: whole conversations as JSON Lines, for replay, import and export. */
#ifndef CONVERSATION_TRANSCRIPT_H
#define CONVERSATION_TRANSCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "bytes.h"
#include "message.h"
#include "status.h"
#include "usage.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One line: {"id", "user", "model", "messages": [OpenAI chat messages]}; only `messages` is needed.
 * Further keys are passed over, except `title`, and `usage`: an array with one OpenAI usage object
 * (or null) for each turn. Texts are read losslessly: NUL and lone surrogates (as three bytes,
 * WTF-8) too. Also read: ShareGPT's {"conversations": [{"from", "value"}]}, and a conversation of
 * ChatGPT's export, of which the branch that ends at `current_node` is taken. */
typedef struct conv_transcript conv_transcript;

/* Reads one line. `transcript` receives it, to be freed with conv_transcript_free; `error` may be
 * NULL. CONV_BAD_DATA: not JSON, no messages, or a message without a known role; the message says
 * what and at which byte. CONV_NO_MEMORY. Thread: any. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_transcript_parse(conv_bytes line, conv_transcript **transcript,
                                                   conv_error *error);

/* The conversation's id; if the line had none, "import-" and 32 hexadecimal digits of the line's
 * SHA-256, so that the same line gives the same id. Belongs to the transcript. Thread: any. */
const char *conv_transcript_id(const conv_transcript *transcript);

/* The user's id, or NULL. Belongs to the transcript. Thread: any. */
const char *conv_transcript_user(const conv_transcript *transcript);

/* The model, or NULL. Belongs to the transcript. Thread: any. */
const char *conv_transcript_model(const conv_transcript *transcript);

/* The title, or NULL: none was given, or it holds a NUL. Belongs to the transcript. Thread: any. */
const char *conv_transcript_title(const conv_transcript *transcript);

/* All messages, in order. They belong to the transcript. Thread: any. */
size_t conv_transcript_message_count(const conv_transcript *transcript);
const conv_message *conv_transcript_messages(const conv_transcript *transcript);

/* A turn: a user message and all that follows up to the next one. Messages before the first user
 * message belong to the first turn. Borrowed from the transcript. */
typedef struct conv_transcript_turn {
    const conv_message *messages; /* request_count of the user's side, then reply_count answers */
    size_t request_count;
    size_t reply_count; /* 0: the conversation ends with the question */
    conv_usage usage;   /* token counts of the line's `usage`, else unknown */
} conv_transcript_turn;

/* Turns of the conversation. Thread: any. */
size_t conv_transcript_turn_count(const conv_transcript *transcript);

/* Turn `index` (from 0) into `turn`; false past the end. Thread: any. */
bool conv_transcript_turn_get(const conv_transcript *transcript, size_t index,
                              conv_transcript_turn *turn);

#define CONV_TURN_ID_SIZE 37

/* The turn id that replay and import use: the text of UUIDv5 of "turn/<index>", index from 1, in
 * the namespace of conv_uuid_ensure(conversation id), so that running twice saves once. Thread:
 * any. */
void conv_transcript_turn_id(const char *conversation_id, size_t index,
                             char turn_id[CONV_TURN_ID_SIZE]);

/* Frees the transcript and all it gave out; NULL is allowed. Thread: owner. */
void conv_transcript_free(conv_transcript *transcript);

/* Transcripts of a file, one after the other. */
typedef struct conv_transcript_reader conv_transcript_reader;

/* Opens a file of transcripts, "-" for standard input. Its first byte that is not blank tells what
 * it is: `[` a JSON array of conversations, else JSON Lines. In both, each conversation may be a
 * line as conv_transcript_parse takes it or one of ChatGPT's export (`mapping`, `current_node`).
 * Memory is that of the largest conversation. `reader` receives the handle, to be closed with
 * conv_transcript_reader_close; NULL after a failure; `error` may be NULL.
 * CONV_NOT_FOUND, CONV_PERMISSION: the file can't be opened. CONV_INVALID_ARGUMENT: it is a folder.
 * CONV_UNAVAILABLE: the system refuses. CONV_NO_MEMORY. Thread: any. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_transcript_reader_open(const char *path,
                                                         conv_transcript_reader **reader,
                                                         conv_error *error);

/* Reads the next transcript. `transcript` receives it, to be freed with conv_transcript_free; NULL
 * with CONV_OK at the end of the file, and after a failure. Blank lines are passed over.
 * CONV_BAD_DATA: this conversation can't be read, the message names its line (or its number in the
 * array) and what is wrong; call again for the next one. CONV_UNAVAILABLE: the file can't be read
 * any further; CONV_NO_MEMORY: the conversation is lost to this reader, the next can be read.
 * Thread: owner. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_transcript_reader_next(conv_transcript_reader *reader,
                                                         conv_transcript **transcript,
                                                         conv_error *error);

/* Where the last call of conv_transcript_reader_next was: the line, or the number in the array,
 * from 1; 0 before the first call. Thread: owner. */
size_t conv_transcript_reader_number(const conv_transcript_reader *reader);

/* What that number counts: "line" or "conversation". Static. Thread: owner. */
const char *conv_transcript_reader_unit(const conv_transcript_reader *reader);

/* Bytes read so far, and bytes of the whole file or -1 where that is unknown (a pipe): enough for a
 * progress bar. Thread: owner. */
int64_t conv_transcript_reader_offset(const conv_transcript_reader *reader);
int64_t conv_transcript_reader_size(const conv_transcript_reader *reader);

/* Closes the file and frees the reader, not the transcripts it gave out; NULL is allowed.
 * Thread: owner. */
void conv_transcript_reader_close(conv_transcript_reader *reader);

/* Writes one line: the opening up to `"messages": [`, each message, and the end. Texts come out
 * with the bytes they came in with, as JSON that Python's json.dumps(ensure_ascii=False) would
 * write:
 * `, ` and `: ` between, only what must be escaped is. NUL becomes \u0000, a lone surrogate \udXXX;
 * a text with other bytes that are not UTF-8 comes as "content": null with "content_base64" beside
 * it, which conv_transcript_parse reads. `user` and `model` NULL leave the key out.
 * CONV_UNAVAILABLE: the file can't be written (disk full); CONV_NO_MEMORY. Thread: owner of the
 * file. */
CONV_WARN_UNUSED conv_status conv_transcript_write_begin(FILE *file, conv_bytes id, conv_bytes user,
                                                         conv_bytes model, conv_error *error);
CONV_WARN_UNUSED conv_status conv_transcript_write_message(FILE *file, const conv_message *message,
                                                           bool first, conv_error *error);
CONV_WARN_UNUSED conv_status conv_transcript_write_end(FILE *file, conv_error *error);

#ifdef __cplusplus
}
#endif
#endif
