/*
 * slipway.json in the context: flags of deploy by their long names, for who deploys the same way every time.
 *
 *	{"name": "web", "port": [3000, 80], "cpu": 512, "env": {"MODE": "production"}, "wait": true}
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/strlist.h"

#define DEPLOY_CONFIG "slipway.json"

/*
 * The file's flags as words of a command line, "--name=web" and so on: a list is the flag several times, an object NAME=VALUE each.
 * *found false: there is no such file (or context is no folder). ERROR_SYNTAX and ERROR_USAGE name the file.
 */
int deploy_config_read(struct strlist *out, const char *context, bool *found, struct error *err);
