/* How far a long run is: text for the terminal. The text is pure; drawing is terminal.h's. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

typedef struct cli_progress {
    int64_t bytes_done;
    int64_t bytes_all; /* -1: unknown, as with a pipe */
    int64_t exchanges;
    int64_t elapsed_ms;
} cli_progress;

#define CLI_PROGRESS_SIZE 512

/* "[=======>      ]  52 %   1,204 exchanges   2,410/s   4 s left", at most `width` columns, the
 * bar as long as there is room; where the size is unknown, what was read instead of bar and rest.
 */
void cli_progress_text(const cli_progress *progress, size_t width, char text[CLI_PROGRESS_SIZE]);

/* The same in words, for a log: "1,204 exchanges, 52 % of the file, 2,410/s". */
void cli_progress_line(const cli_progress *progress, char text[CLI_PROGRESS_SIZE]);

/* Exchanges a second; 0 as long as no time has passed. */
int64_t cli_progress_rate(int64_t exchanges, int64_t elapsed_ms);

#endif
