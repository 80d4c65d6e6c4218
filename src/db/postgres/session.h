/* What is settled once on a fresh connection. */
#ifndef CONV__DB_POSTGRES_SESSION_H
#define CONV__DB_POSTGRES_SESSION_H

#include "conversation/status.h"
#include "db/postgres/connection.h"

/* Asks the server to look after its client while it works or waits: a statement whose caller has
 * given up would otherwise stay in the server for as long as somebody holds a lock, and each retry
 * would add one. Not done where a pooler is between, whose connections are not ours to change; a
 * server that does not know the setting goes without. Fails only if the connection is lost, or the
 * time for opening it is over: a server, or libpq for want of memory, may fall silent right behind
 * the greeting. Source: PostgreSQL's client_connection_check_interval. */
CONV_WARN_UNUSED conv_status conv__session_settle(conv__connection *connection, conv_error *error);

#endif
