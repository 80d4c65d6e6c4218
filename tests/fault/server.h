/* A disposable PostgreSQL server that a campaign may kill: a child of this process, reached by a
 * socket in a temporary folder, without fsync (processes die here, not the power). */
#ifndef TESTS_FAULT_SERVER_H
#define TESTS_FAULT_SERVER_H

#include <signal.h>
#include <stdbool.h>

typedef struct server server;

/* Makes and starts one with a database that has the schema; ends the program if that fails. On the
 * main thread: the server goes when that thread goes. CONVERSATION_SERVER_FILES may name a folder
 * in which programs leave each other the files of a new server. */
server *server_start(void);

/* The connection string, the folder of the socket, and how to stop and remove it all. */
const char *server_url(const server *self);
const char *server_folder(const server *self);
void server_remove(server *self);

/* Ends the postmaster: SIGQUIT is an immediate stop, SIGKILL leaves its children to find out. */
void server_end(server *self, int signal);

/* Starts it again, and waits until it answers. */
void server_restart(server *self);

/* Makes and starts a standby of it, without which it commits nothing any more. */
server *server_start_standby(server *primary);

/* Makes a standby a server of its own, and waits until it takes writes. */
void server_promote(server *self);

/* Stops all its processes where they are (SIGSTOP), and lets them go on (SIGCONT). */
void server_freeze(server *self);
void server_thaw(server *self);

/* Kills (SIGKILL) one backend of a client of the library, if there is one. */
void server_kill_backend(server *self);

/* Waits until it answers again: a killed backend makes its postmaster recover, meanwhile it does
 * not. */
void server_await(server *self);

/* Runs SQL beside the library, in the campaign's database, over a connection that stays: one thread
 * at a time. False if it failed. */
bool server_execute(const char *url, const char *sql);

/* The first column of the first row; -1 if it failed. */
long server_number(const char *url, const char *sql);

/* Removes all rows of all tables. */
void server_empty(const char *url);

#endif
