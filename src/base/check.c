#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void check_failed(const char *expression, const char *file, int line, const char *function) {
    fprintf(stderr, "check failed: %s at %s:%d (%s)\n", expression, file, line, function);
    fflush(stderr);
    abort();
}
