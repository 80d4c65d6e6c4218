/* conversation doctor: looks at everything that a turn needs, and says what is not right. It must
 * not change the store nor ask the provider. */
#include "cli/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/chain.h"
#include "cli/commands.h"
#include "cli/store.h"
#include "cli/terminal.h"
#include "conversation/journal.h"
#include "conversation/provider.h"

static void find(cli_finding *finding, cli_verdict verdict, const char *format, ...)
    CONV_PRINTF(3, 4);

static void find(cli_finding *finding, cli_verdict verdict, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(finding->text, sizeof finding->text, format, values);
    va_end(values);
    finding->verdict = verdict;
}

static void fail(cli_diagnosis *diagnosis, cli_finding *finding, cli_exit code,
                 const conv_error *error)
{
    find(finding, CLI_VERDICT_FAILED, "%s", error->message);
    if (diagnosis->code == CLI_EXIT_OK) diagnosis->code = code;
}

static void look_at_schema(cli_diagnosis *diagnosis, conv_client *client)
{
    conv_error error = CONV_ERROR_INIT;
    conv_schema_state *state = &diagnosis->versions;
    cli_finding *finding = &diagnosis->schema;
    if (conv_schema_read(client, state, &error) != CONV_OK) {
        fail(diagnosis, finding, cli_exit_of(CLI_PART_STORE, error.status), &error);
        return;
    }
    find(finding, CLI_VERDICT_FAILED,
         state->version > state->wanted ? "version %lld, newer than this program's %lld"
         : state->version == 0          ? "there is none (%lld): `conversation migrate` makes "
                                          "version %lld"
                                        : "version %lld: `conversation migrate` brings it to %lld",
         (long long)state->version, (long long)state->wanted);
    if (state->version == state->wanted)
        find(finding, CLI_VERDICT_OK, "version %lld", (long long)state->version);
    else if (diagnosis->code == CLI_EXIT_OK)
        diagnosis->code = CLI_EXIT_NO_CONNECTION;
}

static void look_at_chain(cli_diagnosis *diagnosis, const conv_client_params *params)
{
    cli_finding *finding = &diagnosis->chain;
    finding->text[0] = '\0';
    for (size_t i = 0; i < params->chain_count && i < CLI_DOCTOR_STEPS; i++) {
        const char *name = params->chain[i]->functions->name;
        size_t used = strlen(finding->text);
        snprintf(finding->text + used, sizeof finding->text - used, "%s%s", i == 0 ? "" : " → ",
                 name);
        diagnosis->steps[diagnosis->step_count++] = name;
    }
}

static void find_store(cli_diagnosis *diagnosis, const cli_arguments *arguments,
                       cli_verdict verdict, const char *what)
{
    const char *by = cli_store_namer(arguments);
    if (by != NULL)
        find(&diagnosis->store, verdict, "%s, named by %s, %s",
             cli_store_is_sqlite(arguments) ? "SQLite" : "PostgreSQL", by, what);
    else
        find(&diagnosis->store, verdict, "SQLite, the default file, %s", what);
}

/* Opens as a reader and without the journal, so that nothing is made, changed or brought in. */
static void look_at_store(cli_diagnosis *diagnosis, const cli_arguments *arguments)
{
    conv_client *client = NULL;
    conv_error error = CONV_ERROR_INIT;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = arguments->texts[CLI_OPTION_STORE];
    params.pooler = cli_given(arguments, CLI_OPTION_POOLER);
    params.read_only = true;
    params.schema = CONV_SCHEMA_IGNORE;
    params.connections = 1;
    params.application = "conversation-cli";
    find(&diagnosis->schema, CLI_VERDICT_WARNING, "not looked at");
    conv_status status = cli_chain_set(arguments, &params, &error);
    if (status == CONV_OK) look_at_chain(diagnosis, &params);
    if (status == CONV_OK) status = conv_client_open(&params, &client, &error);
    if (status == CONV_UNAVAILABLE && cli_store_is_to_be_made(arguments)) {
        find_store(diagnosis, arguments, CLI_VERDICT_WARNING,
                   "not there yet: the first program that saves makes it");
        return;
    }
    if (status != CONV_OK) {
        fail(diagnosis, &diagnosis->store, cli_exit_of(CLI_PART_OPEN, status), &error);
        return;
    }
    find_store(diagnosis, arguments, CLI_VERDICT_OK, "answers");
    look_at_schema(diagnosis, client);
    if (conv_client_close(client, 1000, &error) != CONV_OK)
        fail(diagnosis, &diagnosis->store, CLI_EXIT_FAILED, &error);
}

static void judge_journal(cli_diagnosis *diagnosis, bool damaged)
{
    const conv_journal_counts *counts = &diagnosis->counts;
    bool clean = counts->turns + counts->dead == 0 && !damaged;
    diagnosis->has_counts = true;
    find(&diagnosis->journal, clean ? CLI_VERDICT_OK : CLI_VERDICT_WARNING,
         "%lld exchanges and %lld usage records wait, %lld turns interrupted, %lld dead letters%s",
         (long long)counts->exchanges, (long long)counts->usage, (long long)counts->turns,
         (long long)counts->dead,
         damaged ? "; it was damaged, and what could be read was taken over" : "");
}

static void look_at_journal(cli_diagnosis *diagnosis, const cli_arguments *arguments)
{
    conv_journal *journal = NULL;
    conv_error error = CONV_ERROR_INIT;
    cli_finding *finding = &diagnosis->journal;
    const char *path = arguments->texts[CLI_OPTION_JOURNAL];
    if (path == NULL) {
        find(finding, CLI_VERDICT_OK, "none: a store that is away is an error of the turn");
        return;
    }
    conv_status status = conv_journal_open(path, &journal, &error);
    if (status == CONV_OK) status = conv_journal_count(journal, &diagnosis->counts, &error);
    if (status == CONV_OK)
        judge_journal(diagnosis, conv_journal_set_aside(journal) != NULL);
    else if (status == CONV_NOT_FOUND)
        find(finding, CLI_VERDICT_OK, "not there yet: the first program that saves makes it");
    else if (status == CONV_STATE)
        find(finding, CLI_VERDICT_WARNING, "%s", error.message);
    else
        fail(diagnosis, finding, cli_exit_of(CLI_PART_OPEN, status), &error);
    conv_journal_close(journal);
}

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0';
}

static conv_status make_provider(const cli_arguments *arguments, conv_provider **provider,
                                 conv_error *error)
{
    const char *name = arguments->texts[CLI_OPTION_PROVIDER];
    conv_openai_params params = CONV_OPENAI_PARAMS_INIT;
    params.base_url = arguments->texts[CLI_OPTION_BASE_URL];
    if (name == NULL || strcmp(name, "openai") == 0)
        return conv_provider_openai(&params, provider, error);
    if (strcmp(name, "echo") == 0) return conv_provider_echo(provider, error);
    if (strncmp(name, "recorded:", 9) == 0)
        return conv_provider_recorded(name + 9, provider, error);
    snprintf(error->message, sizeof error->message, "it is none of openai, echo, recorded:FILE");
    return CONV_INVALID_ARGUMENT;
}

/* Nobody is asked: that may cost money. */
static void look_at_provider(cli_diagnosis *diagnosis, const cli_arguments *arguments)
{
    conv_provider *provider = NULL;
    conv_error error = CONV_ERROR_INIT;
    cli_finding *finding = &diagnosis->provider;
    const char *name = arguments->texts[CLI_OPTION_PROVIDER];
    bool openai = name == NULL || strcmp(name, "openai") == 0;
    bool elsewhere = arguments->texts[CLI_OPTION_BASE_URL] != NULL || is_set("OPENAI_BASE_URL");
    conv_status status = make_provider(arguments, &provider, &error);
    if (status != CONV_OK)
        fail(diagnosis, finding, cli_exit_of(CLI_PART_INPUT, status), &error);
    else if (openai && !elsewhere && !is_set("OPENAI_API_KEY"))
        find(finding, CLI_VERDICT_WARNING, "openai: OPENAI_API_KEY is not set");
    else
        find(finding, CLI_VERDICT_OK, "%s; not asked", provider->functions->name);
    conv_provider_free(provider);
}

cli_exit cli_doctor(const cli_arguments *arguments)
{
    cli_diagnosis diagnosis = {.code = CLI_EXIT_OK};
    look_at_store(&diagnosis, arguments);
    look_at_journal(&diagnosis, arguments);
    look_at_provider(&diagnosis, arguments);
    if (!cli_doctor_print(&diagnosis, cli_given(arguments, CLI_OPTION_JSON)))
        return CLI_EXIT_FAILED;
    return diagnosis.code;
}
