/* Writing a file under another name first, so that a crash or a full disk never leaves half of it.
 */
#include "cli/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/terminal.h"

static bool complain(const char *path)
{
    cli_complain("write %s: %s", path, strerror(errno));
    return false;
}

/* The rights of the file that is replaced, else those that a new file gets here. */
static mode_t mode_for(const char *path)
{
    struct stat old;
    if (stat(path, &old) == 0) return old.st_mode & 0777;
    mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

static bool open_temporary(cli_output_file *output)
{
    size_t size = strlen(output->path) + sizeof ".XXXXXX";
    output->temporary = malloc(size);
    if (output->temporary == NULL) return false;
    snprintf(output->temporary, size, "%s.XXXXXX", output->path);
    int descriptor = mkostemp(output->temporary, O_CLOEXEC);
    if (descriptor < 0) {
        free(output->temporary);
        output->temporary = NULL;
        return false;
    }
    if (fchmod(descriptor, mode_for(output->path)) == 0) output->file = fdopen(descriptor, "w");
    if (output->file == NULL) close(descriptor);
    return output->file != NULL;
}

bool cli_output_file_open(cli_output_file *output, const char *path)
{
    *output = (cli_output_file){0};
    if (path == NULL || strcmp(path, "-") == 0) {
        output->file = stdout;
        return true;
    }
    struct stat there;
    bool exists = stat(path, &there) == 0;
    if (exists && !S_ISREG(there.st_mode)) {
        output->file = fopen(path, "we");
        return output->file != NULL || complain(path);
    }
    /* A symbolic link goes on pointing to the file, whose name may be in another folder. */
    output->path = exists ? realpath(path, NULL) : strdup(path);
    if (output->path != NULL && open_temporary(output)) return true;
    complain(path);
    cli_output_file_abandon(output);
    return false;
}

/* Makes the new name itself durable. */
static bool sync_folder(const char *path)
{
    char *copy = strdup(path);
    if (copy == NULL) return false;
    int descriptor = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(copy);
    if (descriptor < 0) return false;
    bool ok = fsync(descriptor) == 0;
    close(descriptor);
    return ok;
}

static bool close_file(cli_output_file *output)
{
    FILE *file = output->file;
    bool ok = ferror(file) == 0 && fflush(file) == 0;
    if (ok && output->temporary != NULL) ok = fsync(fileno(file)) == 0;
    if (file == stdout) return ok;
    int problem = errno;
    output->file = NULL;
    if (fclose(file) != 0) return false;
    errno = problem;
    return ok;
}

bool cli_output_file_commit(cli_output_file *output)
{
    const char *name = output->path != NULL ? output->path : "standard output";
    bool ok = close_file(output);
    if (ok && output->temporary != NULL)
        ok = rename(output->temporary, output->path) == 0 && sync_folder(output->path);
    if (!ok) complain(name);
    if (ok) {
        free(output->temporary);
        output->temporary = NULL;
    }
    cli_output_file_abandon(output);
    return ok;
}

void cli_output_file_abandon(cli_output_file *output)
{
    if (output->file != NULL && output->file != stdout) fclose(output->file);
    if (output->temporary != NULL) unlink(output->temporary);
    free(output->temporary);
    free(output->path);
    *output = (cli_output_file){0};
}
