/* Making the provider that the command line names. It must not ask it. */
#include "cli/provider.h"

#include <stdlib.h>
#include <string.h>

#include "cli/store.h"
#include "cli/terminal.h"

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0';
}

static cli_exit open_openai(const cli_arguments *arguments, conv_provider **provider,
                            conv_error *error)
{
    conv_openai_params params = CONV_OPENAI_PARAMS_INIT;
    params.base_url = arguments->texts[CLI_OPTION_BASE_URL];
    params.model = arguments->texts[CLI_OPTION_MODEL];
    bool elsewhere = params.base_url != NULL || is_set("OPENAI_BASE_URL");
    if (params.model == NULL || params.model[0] == '\0') {
        cli_complain("%s: no model: name one with --model", arguments->command->name);
        return CLI_EXIT_USAGE;
    }
    if (!elsewhere && !is_set("OPENAI_API_KEY")) {
        cli_complain("ask provider: there is no key: OPENAI_API_KEY is not set");
        cli_hint("--base-url asks another endpoint, --provider echo answers without any");
        return CLI_EXIT_PROVIDER;
    }
    if (conv_provider_openai(&params, provider, error) == CONV_OK) return CLI_EXIT_OK;
    return cli_report(CLI_PART_INPUT, error);
}

cli_exit cli_provider_open(const cli_arguments *arguments, conv_provider **provider)
{
    const char *name = arguments->texts[CLI_OPTION_PROVIDER];
    conv_error error = CONV_ERROR_INIT;
    conv_status status;
    if (name == NULL || strcmp(name, "openai") == 0)
        return open_openai(arguments, provider, &error);
    if (strcmp(name, "echo") == 0) {
        status = conv_provider_echo(provider, &error);
    } else if (strncmp(name, "recorded:", 9) == 0 && name[9] != '\0') {
        status = conv_provider_recorded(name + 9, provider, &error);
    } else {
        cli_complain("%s: --provider is openai, echo or recorded:FILE", arguments->command->name);
        return CLI_EXIT_USAGE;
    }
    return status == CONV_OK ? CLI_EXIT_OK : cli_report(CLI_PART_INPUT, &error);
}
