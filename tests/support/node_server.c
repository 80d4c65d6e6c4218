#include "support/node_server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child = -1;
static FILE *output;
static int input = -1;
static char url[256];

static void die(const char *what)
{
    fprintf(stderr, "node server: %s\n", what);
    exit(99);
}

/* The server ends with its standard input; the signal is for the case that we die without closing.
 */
static void become_server(const char *script, const char *argument, int in, int out)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (chdir(TEST_SOURCE_DIR "/tests/node") != 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0) _exit(98);
    execlp("node", "node", script, argument, (char *)NULL);
    _exit(97);
}

const char *node_server_start(const char *script, const char *argument)
{
    int in[2];
    int out[2];
    if (pipe(in) != 0 || pipe(out) != 0) die("no pipe");
    child = fork();
    if (child < 0) die("no process");
    if (child == 0) {
        close(in[1]);
        close(out[0]);
        become_server(script, argument, in[0], out[1]);
    }
    close(in[0]);
    close(out[1]);
    input = in[1];
    output = fdopen(out[0], "r");
    if (output == NULL || fgets(url, sizeof url, output) == NULL)
        die("it did not start: is node 20 there, and did `npm ci` run in tests/node?");
    url[strcspn(url, "\r\n")] = '\0';
    return url;
}

void node_server_stop(void)
{
    int status = 0;
    if (child < 0) return;
    close(input);
    fclose(output);
    if (waitpid(child, &status, 0) != child) die("it can't be waited for");
    child = -1;
}
