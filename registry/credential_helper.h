/*
 * docker-credential-NAME get|store|erase (docker-credential-helpers' protocol): the server on stdin, JSON on stdout, 30
 * seconds. The program is found in the PATH of the helpers' environment, in absolute folders only.
 */
#pragma once

#include "registry/docker_config.h"

/* found false: the helper says it has none. Any other failure is an error that carries the helper's words. */
int credential_helper_get(const struct docker_config_options *o, const char *name,
			  const char *server, struct login *out, bool *found, struct error *err);
int credential_helper_store(const struct docker_config_options *o, const char *name,
			    const char *server, const struct login *l, struct error *err);
int credential_helper_erase(const struct docker_config_options *o, const char *name,
			    const char *server, bool *found, struct error *err);
