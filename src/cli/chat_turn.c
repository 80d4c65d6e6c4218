/* One turn at the terminal: the reply on standard output while it comes, all else on standard
 * error. */
#include "cli/chat.h"

#include "cli/display.h"
#include "cli/format.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "cli/store.h"
#include "cli/terminal.h"
#include "conversation/transcript.h"

typedef struct listener {
    cli_stream stream;
    bool quiet;  /* listens only to be able to stop */
    bool begun;  /* something was printed */
    bool broken; /* standard output takes no more */
} listener;

static int on_delta(void *context, conv_bytes delta)
{
    listener *self = context;
    if (delta.size > 0 && !self->quiet) {
        if (!self->begun) cli_status_clear();
        self->begun = true;
        cli_stream_write(&self->stream, delta);
        self->broken = fflush(stdout) != 0 || ferror(stdout) != 0;
    }
    return self->broken || cli_signals_caught() != 0;
}

static json_t *usage_value(const conv_usage *usage)
{
    json_t *value = json_object();
    bool failed = false;
    cli_json_add_usage(value, &failed, usage);
    if (!failed) return value;
    json_decref(value);
    return NULL;
}

static const char *saved_name(conv_saved saved)
{
    switch (saved) {
    case CONV_SAVED_COMMITTED:
        return "committed";
    case CONV_SAVED_JOURNALED:
        return "journaled";
    default:
        return "not";
    }
}

static void print_json(const conv_reply *reply)
{
    json_t *value = json_object();
    bool failed = false;
    cli_json_add(value, &failed, "session_id", json_string(conv_reply_session_id(reply)));
    cli_json_add(value, &failed, "turn_id", json_string(conv_reply_turn_id(reply)));
    cli_json_add(value, &failed, "status",
                 json_string(conv_outcome_name(conv_reply_status(reply))));
    cli_json_add(value, &failed, "saved", json_string(saved_name(conv_reply_saved(reply))));
    cli_json_add(value, &failed, "repeat", json_boolean(conv_reply_is_repeat(reply)));
    cli_json_add(value, &failed, "finish_reason",
                 cli_json_text(conv_text(conv_reply_finish_reason(reply))));
    cli_json_add(value, &failed, "usage", usage_value(conv_reply_usage(reply)));
    if (!cli_json_print_open(stdout, value, failed)) return;
    fputs(", \"messages\": [", stdout);
    conv_error error = CONV_ERROR_INIT;
    for (size_t i = 0; i < conv_reply_message_count(reply); i++)
        if (conv_transcript_write_message(stdout, conv_reply_message(reply, i), i == 0, &error) !=
            CONV_OK)
            cli_report(CLI_PART_INPUT, &error);
    fputs("]}\n", stdout);
}

static void note_tokens(FILE *file, const conv_usage *usage)
{
    char text[CLI_FORMAT_SIZE];
    if (usage->input_tokens == CONV_UNKNOWN || usage->output_tokens == CONV_UNKNOWN) {
        fputs("tokens unreported", file);
        return;
    }
    cli_format_count(usage->input_tokens, text);
    fprintf(file, "%s %s in", text, usage->input_tokens == 1 ? "token" : "tokens");
    cli_format_count(usage->output_tokens, text);
    fprintf(file, ", %s out", text);
}

/* "session kitchen, saved as interrupted": of a conversation at the terminal the session was named
 * before the first turn. */
static void note_session(const cli_chat_state *chat, const conv_reply *reply)
{
    char line[512] = "";
    const char *gap = "";
    FILE *file = fmemopen(line, sizeof line, "w");
    if (file == NULL) return;
    if (!chat->interactive) {
        const char *id = chat->session_id;
        fputs("session ", file);
        cli_display_line(file, conv_text(id == NULL ? conv_reply_session_id(reply) : id), 36);
        gap = ", ";
    }
    if (conv_reply_is_repeat(reply)) {
        fprintf(file, "%ssaved before", gap);
        gap = ", ";
    }
    if (conv_reply_saved(reply) == CONV_SAVED_JOURNALED) {
        fprintf(file, "%swaits in the journal", gap);
        gap = ", ";
    }
    if (conv_reply_status(reply) != CONV_OUTCOME_COMPLETE)
        fprintf(file, "%ssaved as %s", gap, conv_outcome_name(conv_reply_status(reply)));
    fclose(file);
    if (line[0] != '\0') cli_note("%s", line);
}

/* "12 tokens in, 30 out, 0.000123 USD, 1.2 s" */
static void note_turn(const conv_reply *reply)
{
    char line[512] = "";
    char text[CONV_DECIMAL_TEXT_SIZE > CLI_FORMAT_SIZE ? CONV_DECIMAL_TEXT_SIZE : CLI_FORMAT_SIZE];
    const conv_usage *usage = conv_reply_usage(reply);
    FILE *file = fmemopen(line, sizeof line, "w");
    if (file == NULL) return;
    note_tokens(file, usage);
    if (usage->priced) {
        conv_decimal_format(usage->cost_usd, text);
        fprintf(file, ", %s USD", text);
    } else {
        fputs(", unpriced", file);
    }
    cli_format_duration(conv_reply_provider_us(reply) / 1000, text);
    fprintf(file, ", %s", text);
    fclose(file);
    cli_note("%s", line);
}

static void print_text(const conv_reply *reply)
{
    for (size_t i = 0; i < conv_reply_message_count(reply); i++) {
        const conv_message *message = conv_reply_message(reply, i);
        if (message->role != CONV_ROLE_ASSISTANT) continue;
        cli_stream stream = {.file = stdout, .safe = cli_is_terminal(stdout)};
        cli_stream_write(&stream, message->content);
        cli_stream_end(&stream);
    }
}

static void note_tool_calls(const conv_reply *reply)
{
    for (size_t i = 0; i < conv_reply_message_count(reply); i++) {
        conv_bytes calls = conv_reply_message(reply, i)->tool_calls;
        char line[1024] = "";
        FILE *file = calls.data == NULL ? NULL : fmemopen(line, sizeof line, "w");
        if (file == NULL) continue;
        cli_display_line(file, calls, 400);
        fclose(file);
        cli_note("the reply asks for tools: %s", line);
    }
}

void cli_chat_print(const cli_chat_state *chat, const conv_reply *reply, bool streamed)
{
    if (chat->json) {
        print_json(reply);
        return;
    }
    if (!streamed) print_text(reply);
    fflush(stdout);
    note_tool_calls(reply);
    note_session(chat, reply);
    note_turn(reply);
}

static conv_status send(cli_chat_state *chat, conv_bytes message, listener *listening,
                        conv_reply **reply, conv_error *error)
{
    const cli_arguments *arguments = chat->arguments;
    const conv_message system = {.role = CONV_ROLE_SYSTEM,
                                 .content = conv_text(arguments->texts[CLI_OPTION_SYSTEM])};
    conv_message messages[2];
    conv_turn turn = CONV_TURN_INIT;
    turn.session_id = chat->session_id;
    turn.user_id = arguments->texts[CLI_OPTION_USER];
    /* The turn is named here, so that one that could not be saved can be repeated. */
    conv_uuid_format(conv_uuid_v7(), chat->turn_id);
    turn.turn_id = arguments->texts[CLI_OPTION_TURN_ID];
    if (turn.turn_id == NULL) turn.turn_id = chat->turn_id;
    turn.instead_of = chat->instead_of;
    turn.message = message;
    turn.messages = messages;
    turn.model = arguments->texts[CLI_OPTION_MODEL];
    turn.provider = chat->provider;
    turn.timeout_ms = arguments->numbers[CLI_OPTION_TIMEOUT] * 1000;
    /* A session that begins with this turn has no context: nothing of the store is needed. */
    if (!chat->begun && arguments->texts[CLI_OPTION_SESSION] == NULL) turn.context_messages = -1;
    if (system.content.data != NULL && !chat->begun) messages[turn.message_count++] = system;
    if (chat->question != NULL) messages[turn.message_count++] = *chat->question;
    if (!cli_given(arguments, CLI_OPTION_NO_STREAM)) {
        turn.on_delta = on_delta;
        turn.delta_context = listening;
    }
    return conv_process_message(chat->client, &turn, reply, error);
}

static cli_exit exit_of(const cli_chat_state *chat, conv_status status, const conv_reply *reply,
                        const conv_error *error)
{
    if (status == CONV_OK) return CLI_EXIT_OK;
    if (status == CONV_NOT_FOUND && error->sqlstate[0] == '\0' &&
        !conv_uuid_is_nil(chat->instead_of))
        return cli_chat_no_such_message();
    if (status == CONV_CANCELLED)
        return cli_signals_caught() != 0 ? cli_exit_of_signal(cli_signals_caught())
                                         : CLI_EXIT_FAILED;
    /* A reply beside a failure: the provider failed, and that was saved. */
    return cli_report(reply != NULL || status == CONV_PROVIDER ? CLI_PART_PROVIDER : CLI_PART_STORE,
                      error);
}

/* How to ask again without saving the message a second time: with the ids that were not given. */
static void hint_again(const cli_chat_state *chat)
{
    const cli_arguments *arguments = chat->arguments;
    bool made_session = arguments->texts[CLI_OPTION_SESSION] == NULL && chat->session_id != NULL;
    if (arguments->texts[CLI_OPTION_TURN_ID] != NULL)
        cli_hint("the same again asks again and saves the message once");
    else
        cli_hint("the same with %s%s%s--turn-id %s asks again and saves the message once",
                 made_session ? "--session " : "", made_session ? chat->session_id : "",
                 made_session ? " " : "", chat->turn_id);
}

cli_exit cli_chat_turn(cli_chat_state *chat, conv_bytes message)
{
    listener listening = {.stream = {.file = stdout, .safe = cli_is_terminal(stdout)},
                          .quiet = chat->json};
    conv_reply *reply = NULL;
    conv_error error = CONV_ERROR_INIT;
    cli_signals_catch();
    cli_status_draw("waiting for the reply");
    conv_status status = send(chat, message, &listening, &reply, &error);
    cli_status_clear();
    if (listening.begun && !listening.broken) cli_stream_end(&listening.stream);
    fflush(stdout);
    chat->begun = chat->begun || reply != NULL;
    cli_exit code = exit_of(chat, status, reply, &error);
    if (reply != NULL) {
        cli_chat_print(chat, reply, listening.begun);
        if (!chat->interactive && conv_reply_status(reply) == CONV_OUTCOME_FAILED) hint_again(chat);
    } else if (listening.begun) {
        if (!error.outcome_unknown) cli_note("the reply above was not saved");
        hint_again(chat);
    }
    conv_reply_free(reply);
    return code;
}
