/* Progress as text. It must not print: a bar belongs on a terminal only, and the caller knows. */
#include "cli/progress.h"

#include <stdio.h>
#include <string.h>

#include "cli/format.h"

#define BAR_MOST  40
#define BAR_LEAST 10

int64_t cli_progress_rate(int64_t exchanges, int64_t elapsed_ms)
{
    if (elapsed_ms <= 0) return 0;
    int64_t scaled;
    if (__builtin_mul_overflow(exchanges, 1000, &scaled)) return exchanges / (elapsed_ms / 1000);
    return scaled / elapsed_ms;
}

/* Thousandths of the file that are done. */
static int64_t share(const cli_progress *progress)
{
    if (progress->bytes_all <= 0) return 1000;
    int64_t done = progress->bytes_done;
    if (done > progress->bytes_all) done = progress->bytes_all;
    int64_t scaled;
    if (__builtin_mul_overflow(done, 1000, &scaled)) return done / (progress->bytes_all / 1000);
    return scaled / progress->bytes_all;
}

/* Seconds that the rest takes if it goes on like this, rounded up; 0 as long as nobody can know. */
static int64_t left_s(const cli_progress *progress)
{
    int64_t done = share(progress);
    int64_t left_ms;
    if (done == 0 || progress->elapsed_ms < 500) return 0;
    if (__builtin_mul_overflow(progress->elapsed_ms, 1000 - done, &left_ms)) return 0;
    return (left_ms / done + 999) / 1000;
}

static void append(char text[CLI_PROGRESS_SIZE], const char *more)
{
    size_t used = strlen(text);
    snprintf(text + used, CLI_PROGRESS_SIZE - used, "%s", more);
}

static void append_counts(const cli_progress *progress, char text[CLI_PROGRESS_SIZE])
{
    char number[CLI_FORMAT_SIZE];
    cli_format_count(progress->exchanges, number);
    append(text, number);
    append(text, progress->exchanges == 1 ? " exchange" : " exchanges");
}

static void append_rate(const cli_progress *progress, char text[CLI_PROGRESS_SIZE])
{
    char number[CLI_FORMAT_SIZE];
    cli_format_count(cli_progress_rate(progress->exchanges, progress->elapsed_ms), number);
    append(text, number);
    append(text, "/s");
}

static void append_bar(int64_t thousandths, size_t size, char text[CLI_PROGRESS_SIZE])
{
    char bar[BAR_MOST + 3];
    size_t full = (size_t)thousandths * size / 1000;
    memset(bar, ' ', size + 2);
    memset(bar + 1, '=', full);
    if (full < size) bar[1 + full] = '>';
    bar[0] = '[';
    bar[size + 1] = ']';
    bar[size + 2] = '\0';
    append(text, bar);
}

void cli_progress_text(const cli_progress *progress, size_t width, char text[CLI_PROGRESS_SIZE])
{
    char words[CLI_PROGRESS_SIZE] = "";
    char number[CLI_FORMAT_SIZE];
    append_counts(progress, words);
    append(words, "  ");
    append_rate(progress, words);
    text[0] = '\0';
    if (progress->bytes_all < 0) {
        cli_format_bytes(progress->bytes_done, number);
        append(words, "  ");
        append(words, number);
        append(words, " read");
    } else {
        int64_t done = share(progress);
        int64_t left = left_s(progress);
        if (left > 0) {
            if (left < 60)
                snprintf(number, sizeof number, "%d s", (int)left);
            else
                cli_format_duration(left * 1000, number);
            append(words, "  ");
            append(words, number);
            append(words, " left");
        }
        snprintf(number, sizeof number, " %3d %%  ", (int)(done / 10));
        size_t taken = strlen(words) + strlen(number) + 2;
        size_t room = width > taken ? width - taken : 0;
        if (room >= BAR_LEAST) append_bar(done, room < BAR_MOST ? room : BAR_MOST, text);
        append(text, number);
    }
    append(text, words);
    if (strlen(text) > width && width < CLI_PROGRESS_SIZE) text[width] = '\0';
}

void cli_progress_line(const cli_progress *progress, char text[CLI_PROGRESS_SIZE])
{
    char number[CLI_FORMAT_SIZE];
    text[0] = '\0';
    append_counts(progress, text);
    if (progress->bytes_all < 0) {
        cli_format_bytes(progress->bytes_done, number);
        append(text, ", ");
        append(text, number);
        append(text, " read, ");
    } else {
        snprintf(number, sizeof number, ", %d %% of the file, ", (int)(share(progress) / 10));
        append(text, number);
    }
    append_rate(progress, text);
}
