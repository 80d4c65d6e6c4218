/* See server.h. */
#include "fault/server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conversation/client.h"
#include "support/folder.h"

enum { START_SECONDS = 60 };

#define SERVER_ROOM (UINT64_C(2) << 30)

/* See tests/preload. The server's user may not read it where it was built. */
#define PRELOAD "libexit_at_once.so"

struct server {
    char folder[64];
    char data[80];
    char preload[96];
    char programs[256];
    char url[160];
    pid_t postmaster;
};

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "server: %s: %s\n", what, why);
    exit(99);
}

static void find_programs(server *self)
{
    glob_t found = {0};
    const char *named = getenv("CONVERSATION_POSTGRES_BIN");
    if (named != NULL)
        snprintf(self->programs, sizeof self->programs, "%s", named);
    else if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) == 0)
        snprintf(self->programs, sizeof self->programs, "%s", found.gl_pathv[found.gl_pathc - 1]);
    else
        die("PostgreSQL's programs", "not found; set CONVERSATION_POSTGRES_BIN");
    globfree(&found);
}

/* PostgreSQL refuses root. */
static const struct passwd *server_user(void)
{
    const struct passwd *user = getpwnam("postgres");
    return user != NULL ? user : getpwnam("nobody");
}

/* Runs a program of PostgreSQL as somebody who may do nothing, with its output in the log. */
static pid_t run(server *self, const char *program, const char *const *arguments)
{
    char path[320];
    const struct passwd *user = server_user();
    snprintf(path, sizeof path, "%s/%s", self->programs, program);
    pid_t child = fork();
    if (child != 0) return child;
    if (getuid() == 0 && (user == NULL || setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 ||
                          setuid(user->pw_uid) != 0))
        _exit(98);
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    setpgid(0, 0);
    if (chdir(self->folder) != 0) _exit(97);
    int log = open("log", O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    for (int i = 3; i < 256; i++)
        close(i);
    setenv("LD_PRELOAD", self->preload, 1);
    /* By its path also in its own eyes: it looks for its companions beside itself, or in PATH. */
    const char *words[32] = {path};
    for (int i = 1; i < 31 && arguments[i] != NULL; i++)
        words[i] = arguments[i];
    execv(path, (char *const *)words);
    _exit(96);
}

static void run_to_end(server *self, const char *program, const char *const *arguments)
{
    int status = 0;
    pid_t child = run(self, program, arguments);
    if (waitpid(child, &status, 0) != child || status != 0) {
        fprintf(stderr, "see %s/log\n", self->folder);
        die(program, "failed");
    }
}

static bool answers(const server *self)
{
    PGconn *link = PQconnectdb(self->url);
    bool answered = PQstatus(link) == CONNECTION_OK;
    PQfinish(link);
    return answered;
}

static void launch(server *self)
{
    const char *const arguments[] = {"postgres", "-D", self->data, NULL};
    self->postmaster = run(self, "postgres", arguments);
}

static void await_answer(server *self, bool restarts)
{
    for (int i = 0; i < START_SECONDS * 50; i++) {
        if (answers(self)) return;
        if (restarts && waitpid(self->postmaster, NULL, WNOHANG) == self->postmaster) launch(self);
        usleep(20000);
    }
    die("waiting", "the server takes no connection within a minute");
}

/* Children of a killed postmaster may still hold its memory: then a start fails and is repeated. */
void server_restart(server *self)
{
    launch(self);
    await_answer(self, true);
}

void server_await(server *self)
{
    await_answer(self, false);
}

static void configure(server *self)
{
    char path[128];
    snprintf(path, sizeof path, "%s/postgresql.conf", self->data);
    FILE *file = fopen(path, "a");
    if (file == NULL) die(path, strerror(errno));
    fprintf(file,
            "listen_addresses = ''\nunix_socket_directories = '%s'\nmax_connections = 60\n"
            "fsync = off\nfull_page_writes = off\nshared_buffers = 32MB\nautovacuum = off\n"
            "log_min_messages = fatal\nmax_wal_size = 256MB\n",
            self->folder);
    fclose(file);
}

static void migrate(server *self)
{
    conv_error error;
    conv_client *client = NULL;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = self->url;
    params.schema = CONV_SCHEMA_MIGRATE;
    if (conv_client_open(&params, &client, &error) != CONV_OK) die("migrating", error.message);
    if (conv_client_close(client, 0, &error) != CONV_OK) die("migrating", error.message);
}

static void forget_other_servers(void)
{
    static const char *const names[] = {"PGHOST",    "PGPORT",     "PGUSER",    "PGDATABASE",
                                        "PGSERVICE", "PGPASSWORD", "PGOPTIONS", "PGSSLMODE"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
}

static server *create(void)
{
    server *self = calloc(1, sizeof *self);
    if (self == NULL) die("calloc", "no memory");
    forget_other_servers();
    find_programs(self);
    /* Nobody's promise is about the server's disk, and to make files costs less in memory. */
    snprintf(self->folder, sizeof self->folder, "%s/conversation-server-XXXXXX",
             folder_for_files(SERVER_ROOM));
    if (mkdtemp(self->folder) == NULL) die(self->folder, strerror(errno));
    const struct passwd *user = server_user();
    if (getuid() == 0 && (user == NULL || chown(self->folder, user->pw_uid, user->pw_gid) != 0))
        die(self->folder, "can't be given away");
    snprintf(self->preload, sizeof self->preload, "%s/" PRELOAD, self->folder);
    if (!files_copy(TEST_BINARY_DIR "/tests/" PRELOAD, self->preload) ||
        chmod(self->preload, 0755) != 0)
        die(self->preload, "can't be copied");
    snprintf(self->data, sizeof self->data, "%s/data", self->folder);
    snprintf(self->url, sizeof self->url, "host='%s' port=5432 user=conversation dbname=postgres",
             self->folder);
    return self;
}

static void make_files(server *self)
{
    const char *const arguments[] = {"initdb",
                                     "-D",
                                     self->data,
                                     "-U",
                                     "conversation",
                                     "--auth=trust",
                                     "--encoding=UTF8",
                                     "--no-locale",
                                     "--no-sync",
                                     "--no-instructions",
                                     NULL};
    run_to_end(self, "initdb", arguments);
}

static void copy_folder(const char *from, const char *to)
{
    char command[640];
    int size = snprintf(command, sizeof command, "cp -a '%s' '%s'", from, to);
    if (size >= (int)sizeof command || system(command) != 0) die(to, "can't be copied to");
}

/* What a program that was killed has left half copied is in the way of nobody: it has another name.
 */
static void leave_files(const server *self, const char *made)
{
    char half[256];
    snprintf(half, sizeof half, "%s-%d", made, (int)getpid());
    copy_folder(self->data, half);
    if (rename(half, made) != 0) die(made, strerror(errno));
}

/* The first of the programs that share a folder for it makes a new server's files, the others copy
 * them: that costs less. */
static void take_files(server *self, const char *folder)
{
    char made[240];
    snprintf(made, sizeof made, "%s/data", folder);
    int lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0 || flock(lock, LOCK_EX) != 0) die(folder, strerror(errno));
    if (access(made, F_OK) == 0) {
        copy_folder(made, self->data);
    } else {
        make_files(self);
        leave_files(self, made);
    }
    close(lock);
}

server *server_start(void)
{
    server *self = create();
    const char *folder = getenv("CONVERSATION_SERVER_FILES");
    if (folder != NULL)
        take_files(self, folder);
    else
        make_files(self);
    configure(self);
    server_restart(self);
    migrate(self);
    return self;
}

static void await(const server *self, const char *sql)
{
    for (int i = 0; i < START_SECONDS * 50; i++) {
        if (server_number(self->url, sql) == 1) return;
        usleep(20000);
    }
    die(sql, "not within a minute");
}

server *server_start_standby(server *primary)
{
    server *self = create();
    const char *const arguments[] = {"pg_basebackup", "-D", self->data,     "-h",
                                     primary->folder, "-U", "conversation", "-R",
                                     "--no-sync",     "-c", "fast",         NULL};
    run_to_end(self, "pg_basebackup", arguments);
    configure(self);
    server_restart(self);
    if (!server_execute(primary->url, "ALTER SYSTEM SET synchronous_standby_names = '*'") ||
        !server_execute(primary->url, "SELECT pg_reload_conf()"))
        die("waiting for a standby", "refused");
    await(primary, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'");
    /* Commits wait for a standby only once the checkpointer has read the setting (PostgreSQL 15,
     * SyncRepUpdateSyncStandbysDefined), which it does before it makes a checkpoint. */
    if (!server_execute(primary->url, "CHECKPOINT")) die("waiting for a standby", "refused");
    return self;
}

void server_promote(server *self)
{
    /* What is replayed at this moment may cancel the query that asks. */
    for (int i = 0; !server_execute(self->url, "SELECT pg_promote(false)"); i++) {
        if (i == START_SECONDS) die("promoting", "failed");
        usleep(20000);
    }
    await(self, "SELECT (NOT pg_is_in_recovery())::int");
}

const char *server_url(const server *self)
{
    return self->url;
}

const char *server_folder(const server *self)
{
    return self->folder;
}

void server_end(server *self, int signal)
{
    if (self->postmaster == 0) return;
    kill(self->postmaster, signal);
    kill(self->postmaster, SIGCONT); /* it may be frozen */
    waitpid(self->postmaster, NULL, 0);
    self->postmaster = 0;
}

void server_remove(server *self)
{
    char command[128];
    if (self == NULL) return;
    server_end(self, SIGQUIT);
    snprintf(command, sizeof command, "rm -rf '%s'", self->folder);
    if (system(command) != 0) die("removing", self->folder);
    free(self);
}

static pid_t parent_of(const char *process)
{
    char path[300];
    char text[512] = "";
    snprintf(path, sizeof path, "/proc/%s/stat", process);
    FILE *file = fopen(path, "r");
    if (file == NULL) return -1;
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = '\0';
    char *name_end = strrchr(text, ')');
    long parent = -1;
    if (name_end == NULL || sscanf(name_end + 1, " %*c %ld", &parent) != 1) return -1;
    return (pid_t)parent;
}

static void signal_all(server *self, int signal)
{
    DIR *processes = opendir("/proc");
    if (processes == NULL) die("/proc", strerror(errno));
    kill(self->postmaster, signal);
    for (struct dirent *entry; (entry = readdir(processes)) != NULL;)
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
            parent_of(entry->d_name) == self->postmaster)
            kill((pid_t)strtol(entry->d_name, NULL, 10), signal);
    closedir(processes);
}

void server_freeze(server *self)
{
    /* A signal takes its time, and until then the postmaster makes children that nobody has seen.
     */
    kill(self->postmaster, SIGSTOP);
    waitpid(self->postmaster, NULL, WUNTRACED);
    signal_all(self, SIGSTOP);
}

void server_thaw(server *self)
{
    signal_all(self, SIGCONT);
}
