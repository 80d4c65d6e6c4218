/* Reading a yes. Anything else, also the end of the input, is a no. */
#include "cli/confirm.h"

#include <stdio.h>
#include <string.h>

bool cli_confirmed(void)
{
    char answer[16] = "";
    fputs(" [y/N] ", stderr);
    fflush(stderr);
    if (fgets(answer, sizeof answer, stdin) == NULL) fputc('\n', stderr);
    return strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0 || strcmp(answer, "Y\n") == 0;
}
