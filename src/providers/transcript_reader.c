/* Files of transcripts, one conversation after the other. It finds where each begins and ends; what
 * is in it is the matter of transcript.c. */
#include "conversation/transcript.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buffer.h"
#include "core/error.h"
#include "core/memory.h"

#define OPEN       "open transcripts"
#define READ       "read transcripts"
#define CHUNK_SIZE ((size_t)64 << 10)

typedef enum form {
    FORM_UNKNOWN,
    FORM_LINES,
    FORM_ARRAY, /* inside the brackets */
    FORM_ENDED
} form;

struct conv_transcript_reader {
    int file;
    form form;
    bool is_array;     /* also when it has ended */
    size_t number;     /* of the conversation that was read last */
    size_t line;       /* that is being read, from 1 */
    int64_t offset;    /* bytes taken from the chunk */
    int64_t size;      /* -1: unknown */
    conv__buffer text; /* of one conversation */
    char *at;          /* what is left of the chunk */
    char *end;
    char chunk[CHUNK_SIZE];
};

static conv_status fail_open(const char *path, int code, conv_error *error)
{
    if (code == ENOENT || code == ENOTDIR)
        return conv__fail(error, CONV_NOT_FOUND, OPEN, "%s: no such file", path);
    if (code == EACCES || code == EPERM)
        return conv__fail(error, CONV_PERMISSION, OPEN, "%s: this user may not read it", path);
    if (code == EISDIR)
        return conv__fail(error, CONV_INVALID_ARGUMENT, OPEN, "%s: a folder, not a file", path);
    return conv__fail(error, CONV_UNAVAILABLE, OPEN, "%s: the system answers error %d", path, code);
}

/* Opens the file and learns its size; a negative code of errno, or the descriptor. */
static int open_file(const char *path, int64_t *size)
{
    int file = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -errno;
    struct stat found;
    int code = fstat(file, &found) == 0 ? 0 : errno;
    if (code == 0 && S_ISDIR(found.st_mode)) code = EISDIR;
    if (code == 0) {
        *size = S_ISREG(found.st_mode) ? (int64_t)found.st_size : -1;
        return file;
    }
    if (file != STDIN_FILENO) close(file);
    return -code;
}

conv_status conv_transcript_reader_open(const char *path, conv_transcript_reader **reader,
                                        conv_error *error)
{
    *reader = NULL;
    conv__error_clear(error);
    if (path == NULL) return conv__fail(error, CONV_INVALID_ARGUMENT, OPEN, "no path was given");
    conv_transcript_reader *made = conv__allocate(sizeof *made);
    if (made == NULL) return conv__fail_memory(error, OPEN);
    made->file = open_file(path, &made->size);
    if (made->file < 0) {
        conv_status status = fail_open(path, -made->file, error);
        conv__release(made);
        return status;
    }
    made->line = 1;
    made->at = made->end = made->chunk;
    *reader = made;
    return CONV_OK;
}

/* Fills the chunk when it is used up. False at the end of the file and after an error, which is
 * then in `status`. */
static bool has_bytes(conv_transcript_reader *reader, conv_status *status, conv_error *error)
{
    if (reader->at < reader->end) return true;
    ssize_t size;
    do {
        size = read(reader->file, reader->chunk, CHUNK_SIZE);
    } while (size < 0 && errno == EINTR);
    if (size < 0) {
        reader->form = FORM_ENDED;
        *status = conv__fail(error, CONV_UNAVAILABLE, READ, "line %zu: the system answers error %d",
                             reader->line, errno);
        return false;
    }
    reader->at = reader->chunk;
    reader->end = reader->chunk + size;
    return size > 0;
}

/* Steps over `size` bytes of the chunk. */
static void take(conv_transcript_reader *reader, size_t size)
{
    reader->at += size;
    reader->offset += (int64_t)size;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Gives the next byte that is not blank, without taking it; false at the end. */
static bool skip_blanks(conv_transcript_reader *reader, conv_status *status, conv_error *error)
{
    while (has_bytes(reader, status, error)) {
        if (!is_blank(*reader->at)) return true;
        if (*reader->at == '\n') reader->line++;
        take(reader, 1);
    }
    return false;
}

/* Looks at the first byte that is not blank. Windows' mark of UTF-8 may stand before it. */
static bool detect_form(conv_transcript_reader *reader, conv_status *status, conv_error *error)
{
    static const char mark[] = "\xEF\xBB\xBF";
    for (size_t i = 0; i < sizeof mark - 1; i++) {
        if (!has_bytes(reader, status, error) || *reader->at != mark[i]) break;
        take(reader, 1);
    }
    if (!skip_blanks(reader, status, error)) return false;
    reader->form = *reader->at == '[' ? FORM_ARRAY : FORM_LINES;
    reader->is_array = reader->form == FORM_ARRAY;
    if (reader->is_array) take(reader, 1);
    return true;
}

/* Puts the rest of the line into `text`. */
static void read_line(conv_transcript_reader *reader, conv_status *status, conv_error *error)
{
    while (has_bytes(reader, status, error)) {
        size_t left = (size_t)(reader->end - reader->at);
        char *end = memchr(reader->at, '\n', left);
        size_t size = end == NULL ? left : (size_t)(end - reader->at);
        conv__buffer_append(&reader->text, reader->at, size);
        take(reader, end == NULL ? size : size + 1);
        if (end == NULL) continue;
        reader->line++;
        return;
    }
}

/* How far a conversation of an array has been read: only brackets and strings matter. */
typedef struct element_state {
    size_t depth;
    bool in_string;
    bool escaped;
} element_state;

/* Whether `c` ends the element. */
static bool step(element_state *state, char c)
{
    if (state->escaped) {
        state->escaped = false;
    } else if (state->in_string) {
        state->escaped = c == '\\';
        state->in_string = c != '"';
    } else if (c == '"') {
        state->in_string = true;
    } else if (state->depth == 0 && (c == ',' || c == ']')) {
        return true;
    } else if (c == '{' || c == '[') {
        state->depth++;
    } else if (state->depth > 0 && (c == '}' || c == ']')) {
        state->depth--;
    }
    return false;
}

/* Puts the next element into `text`, and steps over the comma behind it; the closing bracket stays.
 * False if the file ends before. */
static bool read_element(conv_transcript_reader *reader, conv_status *status, conv_error *error)
{
    element_state state = {0};
    while (has_bytes(reader, status, error)) {
        char *from = reader->at;
        char *to = from;
        while (to < reader->end && !step(&state, *to)) {
            if (*to == '\n') reader->line++;
            to++;
        }
        bool ended = to < reader->end;
        conv__buffer_append(&reader->text, from, (size_t)(to - from));
        take(reader, (size_t)(to - from));
        if (!ended) continue;
        if (*reader->at == ',') take(reader, 1);
        return true;
    }
    return false;
}

/* The text of one conversation; CONV_OK and `found` false at the end of the file. */
static conv_status next_of_array(conv_transcript_reader *reader, bool *found, conv_error *error)
{
    conv_status status = CONV_OK;
    bool more = skip_blanks(reader, &status, error);
    if (status != CONV_OK) return status;
    if (more && *reader->at == ']') {
        take(reader, 1);
        reader->form = FORM_ENDED;
        if (!skip_blanks(reader, &status, error)) return status;
        return conv__fail(error, CONV_BAD_DATA, READ, "line %zu: text behind the array",
                          reader->line);
    }
    reader->number++;
    if (more && read_element(reader, &status, error)) {
        *found = true;
        return CONV_OK;
    }
    reader->form = FORM_ENDED;
    if (status != CONV_OK) return status;
    return conv__fail(error, CONV_BAD_DATA, READ,
                      "conversation %zu: the file ends inside the array", reader->number);
}

static conv_status next_of_lines(conv_transcript_reader *reader, bool *found, conv_error *error)
{
    conv_status status = CONV_OK;
    if (!skip_blanks(reader, &status, error)) return status;
    reader->number = reader->line;
    read_line(reader, &status, error);
    *found = status == CONV_OK;
    return status;
}

/* Puts the place before what the parser says. */
static conv_status parse(conv_transcript_reader *reader, conv_transcript **transcript,
                         conv_error *error)
{
    const char *unit = conv_transcript_reader_unit(reader);
    if (reader->text.failed)
        return conv__fail(error, CONV_NO_MEMORY, READ, "%s %zu: out of memory", unit,
                          reader->number);
    conv_error cause;
    conv_status status =
        conv_transcript_parse(conv__buffer_bytes(&reader->text), transcript, &cause);
    if (status == CONV_OK) return CONV_OK;
    return conv__fail(error, status, READ, "%s %zu: %s", unit, reader->number, cause.message);
}

conv_status conv_transcript_reader_next(conv_transcript_reader *reader,
                                        conv_transcript **transcript, conv_error *error)
{
    *transcript = NULL;
    conv__error_clear(error);
    conv_status status = CONV_OK;
    if (reader->form == FORM_UNKNOWN && !detect_form(reader, &status, error)) {
        reader->form = FORM_ENDED;
        return status;
    }
    bool found = false;
    conv__buffer_clear(&reader->text);
    switch (reader->form) {
    case FORM_LINES:
        status = next_of_lines(reader, &found, error);
        return found ? parse(reader, transcript, error) : status;
    case FORM_ARRAY:
        status = next_of_array(reader, &found, error);
        return found ? parse(reader, transcript, error) : status;
    case FORM_UNKNOWN:
    case FORM_ENDED:
        break;
    }
    return CONV_OK;
}

size_t conv_transcript_reader_number(const conv_transcript_reader *reader)
{
    return reader->number;
}

const char *conv_transcript_reader_unit(const conv_transcript_reader *reader)
{
    return reader->is_array ? "conversation" : "line";
}

int64_t conv_transcript_reader_offset(const conv_transcript_reader *reader)
{
    return reader->offset;
}

int64_t conv_transcript_reader_size(const conv_transcript_reader *reader)
{
    return reader->size;
}

void conv_transcript_reader_close(conv_transcript_reader *reader)
{
    if (reader == NULL) return;
    if (reader->file != STDIN_FILENO) close(reader->file);
    conv__buffer_free(&reader->text);
    conv__release(reader);
}
