/* conversation migrate: brings the store's schema up to date, and says from where to where. */
#include "cli/commands.h"

#include "cli/output.h"
#include "cli/store.h"
#include "conversation/schema.h"

static cli_exit print(int64_t before, const conv_schema_state *after, bool json)
{
    if (json) {
        json_t *value = json_object();
        bool failed = false;
        cli_json_add(value, &failed, "before", json_integer(before));
        cli_json_add(value, &failed, "after", json_integer(after->version));
        cli_json_add(value, &failed, "applied", json_integer(after->applied));
        return cli_json_print(stdout, value, failed) ? CLI_EXIT_OK : CLI_EXIT_FAILED;
    }
    if (after->applied == 0)
        printf("the schema is up to date: version %lld\n", (long long)after->version);
    else if (before == 0)
        printf("the schema was made: version %lld\n", (long long)after->version);
    else
        printf("the schema was brought from version %lld to %lld, %d %s\n", (long long)before,
               (long long)after->version, after->applied,
               after->applied == 1 ? "migration" : "migrations");
    return CLI_EXIT_OK;
}

cli_exit cli_migrate(const cli_arguments *arguments)
{
    conv_client *client = NULL;
    cli_exit code = cli_store_open(arguments, CLI_STORE_MIGRATE, 1, &client);
    if (code != CLI_EXIT_OK) return code;
    conv_schema_state before = {0};
    conv_schema_state after = {0};
    conv_error error = CONV_ERROR_INIT;
    if (conv_schema_read(client, &before, &error) == CONV_OK &&
        conv_schema_migrate(client, &after, &error) == CONV_OK)
        code = print(before.version, &after, cli_given(arguments, CLI_OPTION_JSON));
    else
        code = cli_report(CLI_PART_STORE, &error);
    return cli_store_close(client, code);
}
