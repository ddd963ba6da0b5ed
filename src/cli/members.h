/*
 * members.h - members of the JSON that verbs and nodes say to each other.
 *
 * For printing: what is not there, or is something else, is empty or 0. PATH as of json_path
 * ("state.bytes").
 */
#ifndef NONET_CLI_MEMBERS_H
#define NONET_CLI_MEMBERS_H

#include "cli/cli.h"
#include "wire/json.h"
#include "wire/json_write.h"

slice member_text(json_value v, const char *path);
uint64_t member_number(json_value v, const char *path);
/* KEY with the number that OPTION gives, read by PARSE (cli_number, cli_size, ...); nothing where
   it is not given. False: it is wrong, and that has been said. */
bool member_of_option(const struct cli_call *call, struct json_writer *w, const char *option,
                      const char *key,
                      bool (*parse)(const struct cli_call *, const char *, uint64_t, uint64_t *));

#endif
