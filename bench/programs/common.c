/* Words, samples, the end of a program. Measures nothing. */
#include "common.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void give_up(const char *what, const conv_error *error)
{
    if (error != NULL)
        fprintf(stderr, "%s: %s: %s\n", what, error->action, error->message);
    else
        fprintf(stderr, "%s\n", what);
    exit(1);
}

static int find(int count, char **words, const char *name)
{
    for (int i = 1; i < count; i++)
        if (strncmp(words[i], "--", 2) == 0 && strcmp(words[i] + 2, name) == 0) return i;
    return 0;
}

bool option_given(int count, char **words, const char *name)
{
    return find(count, words, name) > 0;
}

const char *option_text(int count, char **words, const char *name, const char *fallback)
{
    int at = find(count, words, name);
    if (at == 0) return fallback;
    if (at + 1 >= count) give_up("the last option has no value", NULL);
    return words[at + 1];
}

int64_t option_number(int count, char **words, const char *name, int64_t fallback)
{
    const char *text = option_text(count, words, name, NULL);
    if (text == NULL) return fallback;
    char *end = NULL;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || number < 0) give_up("an option is no number", NULL);
    return number;
}

static void add_sample(sample_set *samples, conv_transcript *transcript)
{
    size_t at = samples->count++;
    samples->transcripts =
        realloc(samples->transcripts, samples->count * sizeof(conv_transcript *));
    samples->questions = realloc(samples->questions, samples->count * sizeof(conv_bytes));
    samples->answers = realloc(samples->answers, samples->count * sizeof(conv_bytes));
    if (samples->transcripts == NULL || samples->questions == NULL || samples->answers == NULL)
        give_up("out of memory", NULL);
    samples->transcripts[at] = transcript;
    samples->questions[at] = conv_transcript_messages(transcript)[0].content;
    samples->answers[at] = conv_transcript_messages(transcript)[1].content;
}

void samples_read(const char *path, sample_set *samples)
{
    conv_error error = CONV_ERROR_INIT;
    conv_transcript_reader *reader = NULL;
    *samples = (sample_set){0};
    if (conv_transcript_reader_open(path, &reader, &error) != CONV_OK) give_up("samples", &error);
    for (;;) {
        conv_transcript *transcript = NULL;
        if (conv_transcript_reader_next(reader, &transcript, &error) != CONV_OK)
            give_up("samples", &error);
        if (transcript == NULL) break;
        if (conv_transcript_message_count(transcript) != 2)
            give_up("a sample is not a question and an answer", NULL);
        add_sample(samples, transcript);
    }
    conv_transcript_reader_close(reader);
    if (samples->count == 0) give_up("no samples", NULL);
}

void samples_free(sample_set *samples)
{
    for (size_t i = 0; i < samples->count; i++)
        conv_transcript_free(samples->transcripts[i]);
    free(samples->transcripts);
    free(samples->questions);
    free(samples->answers);
}

uuid_text uuid_of(unsigned group, unsigned caller, uint64_t number)
{
    uuid_text made;
    snprintf(made.text, sizeof made.text, "01890a5d-ac96-7%03x-8%03x-%012" PRIx64, group & 0xfff,
             caller & 0xfff, number & UINT64_C(0xffffffffffff));
    return made;
}

const conv_price bench_price = {BENCH_MODEL, "2.50", "10.00", NULL, NULL, NULL};

/* Four bytes a token, as is the rule of thumb. */
void fill_usage(conv_usage *usage, conv_bytes question, conv_bytes answer)
{
    usage->model = conv_text(BENCH_MODEL);
    usage->provider = conv_text("openai");
    usage->input_tokens = (int64_t)question.size / 4 + 1;
    usage->output_tokens = (int64_t)answer.size / 4 + 1;
    usage->latency_ms = 850;
}

size_t sample_of(const sample_set *samples, unsigned caller, uint64_t number)
{
    return (size_t)(caller * 7 + number) % samples->count;
}

void make_exchange(const sample_set *samples, unsigned caller, uint64_t number, one_exchange *made)
{
    size_t sample = sample_of(samples, caller, number);
    made->session = uuid_of(1, caller, number / SESSION_EXCHANGES);
    made->user = uuid_of(2, 0, caller);
    made->messages[0] =
        (conv_message){.role = CONV_ROLE_USER, .content = samples->questions[sample]};
    made->messages[1] = (conv_message){.role = CONV_ROLE_ASSISTANT,
                                       .content = samples->answers[sample],
                                       .model = conv_text(BENCH_MODEL)};
    made->exchange = (conv_exchange)CONV_EXCHANGE_INIT;
    made->exchange.session_id = made->session.text;
    made->exchange.user_id = made->user.text;
    made->exchange.messages = made->messages;
    made->exchange.message_count = 2;
    fill_usage(&made->exchange.usage, made->messages[0].content, made->messages[1].content);
}
