/* Runs a program on a fresh PostgreSQL database that has the schema, and drops the database. Makes
 * no assertions. usage: with_database PROGRAM; its argument, and CONVERSATION_STORE, is the
 * database. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "support/store.h"

static conv_status migrate(const char *store)
{
    conv_error error = CONV_ERROR_INIT;
    conv_client *client = NULL;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = store;
    params.schema = CONV_SCHEMA_MIGRATE;
    conv_status status = conv_client_open(&params, &client, &error);
    if (status == CONV_OK) status = conv_client_close(client, 5000, &error);
    if (status != CONV_OK) fprintf(stderr, "%s: %s\n", error.action, error.message);
    return status;
}

static int run(const char *program, const char *store)
{
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        setenv("CONVERSATION_STORE", store, 1);
        execl(program, program, store, (char *)NULL);
        perror(program);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("with_database");
        return 1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int count, char **arguments)
{
    if (count != 2) {
        fprintf(stderr, "usage: with_database PROGRAM\n");
        return 2;
    }
    const char *store = test_store_create("postgresql");
    int code = migrate(store) == CONV_OK ? run(arguments[1], store) : 1;
    test_store_drop("postgresql");
    return code;
}
