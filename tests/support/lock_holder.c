/* See lock_holder.h. */
#include "support/lock_holder.h"

#include <string.h>

#include "support/test.h"

lock_holder lock_holder_take(const char *url)
{
    lock_holder holder = {NULL, NULL};
    if (strncmp(url, "sqlite:", strlen("sqlite:")) == 0) {
        assert_int_equal(sqlite3_open(url + strlen("sqlite:"), &holder.sqlite), SQLITE_OK);
        assert_int_equal(sqlite3_exec(holder.sqlite, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                         SQLITE_OK);
        return holder;
    }
    holder.postgres = PQconnectdb(url);
    PGresult *result =
        PQexec(holder.postgres, "BEGIN; LOCK TABLE chat_exchanges IN EXCLUSIVE MODE");
    assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    PQclear(result);
    return holder;
}

void lock_holder_release(lock_holder *holder)
{
    PQfinish(holder->postgres);
    sqlite3_close(holder->sqlite);
}
