/* Runs the program `conversation` as a shell or a terminal would. On the main thread only. */
#ifndef TESTS_SUPPORT_PROGRAM_H
#define TESTS_SUPPORT_PROGRAM_H

#include <stddef.h>
#include <sys/types.h>

#include "conversation/status.h"

/* Makes a temporary folder, goes there, puts the program on PATH and takes everything out of the
 * environment that could lead it elsewhere: PG*, OPENAI_*, DATABASE_URL. HOME is the folder.
 * CONVERSATION_STORE becomes `store`; NULL: it is unset. */
void test_program_setup(const char *store);

/* Removes the folder, and gives the environment's PATH back. */
void test_program_teardown(void);

/* Runs a shell command in the folder with an empty standard input, and gives its exit code (128 and
 * the number for a signal). What it printed is in the two texts until the next run. */
int test_run(const char *format, ...) CONV_PRINTF(1, 2);
extern char *test_output;
extern size_t test_output_size;
extern char *test_errors;

/* The text must hold the part; prints both if it does not. */
#define assert_contains(text, part)                                                                \
    do {                                                                                           \
        if (strstr(text, part) == NULL) fail_msg("\"%s\" is not in:\n%s", part, text);             \
    } while (0)

/* The whole of a file, followed by a NUL; on the heap. */
char *test_read_file(const char *path, size_t *size);

void test_write_file(const char *path, const char *bytes, size_t size);

/* The same on a terminal of `columns` columns. */
typedef struct test_terminal {
    pid_t child;
    int descriptor;
    char screen[65536]; /* all that was printed so far, a NUL at the end */
    size_t size;
} test_terminal;

void test_terminal_start(test_terminal *terminal, int columns, const char *command);
void test_terminal_type(test_terminal *terminal, const char *keys);

/* Waits until the screen shows `text` behind what was waited for before; fails after 20 seconds. */
void test_terminal_await(test_terminal *terminal, const char *text);

/* Waits for the end; gives the exit code as test_run. */
int test_terminal_end(test_terminal *terminal);

/* No line of the screen may be longer than `columns` characters (of one column each, without
 * colours): it would break somewhere. */
void test_terminal_fits(const test_terminal *terminal, size_t columns);

#endif
