/* Runs the program in a folder of its own. It must not see the environment of whoever runs the
 * tests. */
#include "support/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/test.h"

#define AWAIT_MS 20000

char *test_output;
size_t test_output_size;
char *test_errors;

static char folder[64];
static char *old_path;
static size_t awaited; /* of the terminal's screen */

extern char **environ;

static void forget_environment(void)
{
    static const char *const prefixes[] = {"PG",   "OPENAI_", "DATABASE_URL", "CONVERSATION_STORE",
                                           "XDG_", "NO_COLOR"};
    for (size_t i = 0; environ[i] != NULL;) {
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(environ[i], "="), environ[i]);
        bool found = false;
        for (size_t p = 0; p < sizeof prefixes / sizeof prefixes[0]; p++)
            found = found || strncmp(name, prefixes[p], strlen(prefixes[p])) == 0;
        if (!found || unsetenv(name) != 0) i++;
    }
}

void test_program_setup(const char *store)
{
    char path[4096];
    snprintf(folder, sizeof folder, "/tmp/conversation-cli-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    forget_environment();
    old_path = strdup(getenv("PATH"));
    snprintf(path, sizeof path, "%s/bin:%s", TEST_BINARY_DIR, old_path);
    setenv("PATH", path, 1);
    setenv("HOME", folder, 1);
    setenv("TERM", "xterm", 1);
    if (store != NULL) setenv("CONVERSATION_STORE", store, 1);
}

void test_program_teardown(void)
{
    char command[128];
    setenv("PATH", old_path, 1);
    free(old_path);
    assert_int_equal(chdir("/"), 0);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
    free(test_output);
    free(test_errors);
    test_output = test_errors = NULL;
}

char *test_read_file(const char *path, size_t *size)
{
    struct stat about;
    int descriptor = open(path, O_RDONLY);
    if (descriptor < 0 || fstat(descriptor, &about) != 0) fail_msg("%s is not there", path);
    char *bytes = malloc((size_t)about.st_size + 1);
    assert_non_null(bytes);
    assert_int_equal(read(descriptor, bytes, (size_t)about.st_size), about.st_size);
    close(descriptor);
    bytes[about.st_size] = '\0';
    if (size != NULL) *size = (size_t)about.st_size;
    return bytes;
}

void test_write_file(const char *path, const char *bytes, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static int code_of(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int test_run(const char *format, ...)
{
    char command[8192];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    assert_true(size >= 0 && (size_t)size < sizeof command);
    char line[9000];
    snprintf(line, sizeof line, "{ %s\n} >.output 2>.errors </dev/null", command);
    int status = system(line);
    assert_int_not_equal(status, -1);
    free(test_output);
    free(test_errors);
    test_output = test_read_file(".output", &test_output_size);
    test_errors = test_read_file(".errors", NULL);
    return code_of(status);
}

void test_terminal_start(test_terminal *terminal, int columns, const char *command)
{
    struct winsize size = {.ws_row = 24, .ws_col = (unsigned short)columns};
    memset(terminal, 0, sizeof *terminal);
    awaited = 0;
    terminal->child = forkpty(&terminal->descriptor, NULL, NULL, &size);
    assert_true(terminal->child >= 0);
    if (terminal->child == 0) {
        /* Without exec the shell would take Ctrl-C for itself too. */
        char line[4096];
        snprintf(line, sizeof line, "exec %s", command);
        execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
}

void test_terminal_type(test_terminal *terminal, const char *keys)
{
    assert_int_equal(write(terminal->descriptor, keys, strlen(keys)), (ssize_t)strlen(keys));
}

/* Reads what there is; false at the end, which a terminal tells as EIO. */
static bool take(test_terminal *terminal)
{
    size_t room = sizeof terminal->screen - 1 - terminal->size;
    assert_true(room > 0);
    ssize_t got = read(terminal->descriptor, terminal->screen + terminal->size, room);
    if (got <= 0) return got < 0 && errno == EINTR;
    terminal->size += (size_t)got;
    terminal->screen[terminal->size] = '\0';
    return true;
}

void test_terminal_await(test_terminal *terminal, const char *text)
{
    struct timespec begun;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (;;) {
        char *found = strstr(terminal->screen + awaited, text);
        if (found != NULL) {
            awaited = (size_t)(found - terminal->screen) + strlen(text);
            return;
        }
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        int64_t left = AWAIT_MS - ((int64_t)(now.tv_sec - begun.tv_sec) * 1000);
        struct pollfd ready = {.fd = terminal->descriptor, .events = POLLIN};
        if (left <= 0 || poll(&ready, 1, (int)left) <= 0 || !take(terminal)) {
            kill(terminal->child, SIGKILL);
            fail_msg("the terminal never showed \"%s\" but:\n%s", text, terminal->screen);
        }
    }
}

int test_terminal_end(test_terminal *terminal)
{
    while (take(terminal)) {
    }
    int status = 0;
    assert_int_equal(waitpid(terminal->child, &status, 0), terminal->child);
    close(terminal->descriptor);
    return code_of(status);
}

void test_terminal_fits(const test_terminal *terminal, size_t columns)
{
    size_t width = 0;
    for (const char *c = terminal->screen; *c != '\0'; c++) {
        bool begins = (*c & 0xc0) != 0x80 && *c != '\r';
        width = *c == '\n' ? 0 : width + (begins ? 1 : 0);
        if (width > columns)
            fail_msg("a line is longer than %zu columns:\n%s", columns, terminal->screen);
    }
}
