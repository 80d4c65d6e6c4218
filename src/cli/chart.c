/* Bars and sparklines. It must not know what the numbers mean. */
#include "cli/chart.h"

#include <string.h>

/* Whether value/most is at most level/steps, without a division. */
static bool reaches(conv_decimal value, conv_decimal most, size_t level, size_t steps)
{
    conv_decimal left;
    conv_decimal right;
    if (conv_decimal_multiply(value, conv_decimal_from_integer((int64_t)steps), &left) != CONV_OK ||
        conv_decimal_multiply(most, conv_decimal_from_integer((int64_t)level), &right) != CONV_OK)
        return conv_decimal_compare(value, most) < 0; /* more digits than can be drawn */
    return conv_decimal_compare(left, right) <= 0;
}

size_t cli_chart_level(conv_decimal value, conv_decimal most, size_t steps)
{
    const conv_decimal zero = {0};
    if (conv_decimal_compare(value, zero) <= 0 || conv_decimal_compare(most, zero) <= 0) return 0;
    size_t low = 1;
    size_t high = steps;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (reaches(value, most, middle, steps))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

void cli_chart_bar(conv_decimal value, conv_decimal most, size_t columns, char text[CLI_BAR_SIZE])
{
    static const char *const parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    static const char whole[] = "█";
    if (columns > CLI_BAR_COLUMNS) columns = CLI_BAR_COLUMNS;
    size_t eighths = cli_chart_level(value, most, columns * 8);
    size_t used = 0;
    for (size_t i = 0; i < eighths / 8; i++, used += sizeof whole - 1)
        memcpy(text + used, whole, sizeof whole - 1);
    memcpy(text + used, parts[eighths % 8], strlen(parts[eighths % 8]) + 1);
}

void cli_chart_spark(FILE *file, const conv_decimal *values, size_t count)
{
    static const char *const levels[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    conv_decimal most = {0};
    for (size_t i = 0; i < count; i++)
        if (conv_decimal_compare(values[i], most) > 0) most = values[i];
    for (size_t i = 0; i < count; i++)
        fputs(levels[cli_chart_level(values[i], most, 8)], file);
}
