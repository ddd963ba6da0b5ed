/*
 * main.c - the program's first lines: the verb is found in cli/'s table and run.
 */
#include "cli/cli.h"

int main(int argc, char **argv) {
    return cli_main(argc, argv);
}
