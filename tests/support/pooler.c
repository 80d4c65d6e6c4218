#include "support/pooler.h"

#include <errno.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char folder[] = "/tmp/conversation-pooler-XXXXXX";
static char url[256];
static pid_t process;

static void die(const char *what)
{
    fprintf(stderr, "test pooler: %s: %s\n", what, strerror(errno));
    exit(99);
}

/* PgBouncer refuses to be root, so it becomes whoever owns the server's socket. */
static const char *account(const char *socket_folder)
{
    struct stat status;
    struct passwd *owner = NULL;
    if (geteuid() != 0) return NULL;
    if (socket_folder[0] == '/' && stat(socket_folder, &status) == 0)
        owner = getpwuid(status.st_uid);
    return owner == NULL ? "nobody" : owner->pw_name;
}

static void write_configuration(const char *path, PGconn *link, const char *mode, int connections)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) die(path);
    fprintf(file, "[databases]\n%s = host=%s port=%s dbname=%s user=%s", PQdb(link), PQhost(link),
            PQport(link), PQdb(link), PQuser(link));
    if (PQpass(link)[0] != '\0') fprintf(file, " password=%s", PQpass(link));
    fprintf(file,
            "\n[pgbouncer]\nunix_socket_dir = %s\nlisten_port = 6432\nauth_type = any\n"
            "pool_mode = %s\ndefault_pool_size = %d\nmax_client_conn = 100\n"
            "logfile = %s/log\npidfile = %s/pid\n",
            folder, mode, connections, folder, folder);
    fclose(file);
}

static void run(const char *configuration, const char *user)
{
    process = fork();
    if (process != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const char *arguments[6] = {"pgbouncer", "-q"};
    int count = 2;
    if (user != NULL) {
        arguments[count++] = "-u";
        arguments[count++] = user;
    }
    arguments[count] = configuration;
    execvp("pgbouncer", (char *const *)arguments);
    execv("/usr/sbin/pgbouncer", (char *const *)arguments);
    _exit(127);
}

static void wait_until_it_answers(void)
{
    struct timespec pause = {0, 20000000};
    for (int i = 0; i < 500; i++) {
        if (PQping(url) == PQPING_OK) return;
        if (waitpid(process, NULL, WNOHANG) == process) break;
        nanosleep(&pause, NULL);
    }
    die("pgbouncer does not answer");
}

const char *pooler_start(const char *store, const char *mode, int connections)
{
    char configuration[64];
    PGconn *link = PQconnectdb(store);
    if (PQstatus(link) != CONNECTION_OK) die(PQerrorMessage(link));
    if (mkdtemp(folder) == NULL) die(folder);
    if (chmod(folder, 0777) != 0) die(folder);
    snprintf(configuration, sizeof configuration, "%s/ini", folder);
    write_configuration(configuration, link, mode, connections);
    if (chmod(configuration, 0644) != 0) die(configuration);
    snprintf(url, sizeof url, "host=%s port=6432 user=%s dbname=%s", folder, PQuser(link),
             PQdb(link));
    run(configuration, account(PQhost(link)));
    PQfinish(link);
    if (process < 0) die("fork");
    wait_until_it_answers();
    return url;
}

void pooler_stop(void)
{
    char command[80];
    kill(process, SIGKILL);
    waitpid(process, NULL, 0);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) die(folder);
    snprintf(folder, sizeof folder, "/tmp/conversation-pooler-XXXXXX");
}
