/*
 * Credentials in docker's files and helpers: $REGISTRY_AUTH_FILE, $DOCKER_CONFIG/config.json or ~/.docker/config.json,
 * $XDG_RUNTIME_DIR/containers/auth.json, $XDG_CONFIG_HOME/containers/auth.json (containers-auth.json(5)); inside a file
 * credHelpers, then credsStore, then auths. Helpers: docker-credential-NAME get|store|erase, names [A-Za-z0-9._-]+ only.
 */
#pragma once

#include "base/log.h"
#include "base/strlist.h"
#include "net/login.h"

struct docker_config_options {
	const struct strlist *
		files; /* in order of search; the first is where login writes (mode 0600, temp + rename) */
	char *const *helper_env;   /* environment of helpers (PATH is searched in it) */
	struct reporter *reporter; /* warnings: a file others can read */
	const struct cancel *cancel;
};

/*
 * host as image names have it ("docker.io", "localhost:5000"); repository (NULL: none) finds entries of auths made for
 * host/ns or host/ns/repo. found false: nobody has a login. A malformed file, or a helper that fails otherwise than by
 * "credentials not found", is an error: it never turns silently into an anonymous request.
 */
int docker_config_get(const struct docker_config_options *o, const char *host,
		      const char *repository, struct login *out, bool *found, struct error *err);
/*
 * Stores through the configured helper, else into auths; *where (free()) says where. A symbolic link is written through;
 * fields that are not ours are kept.
 */
int docker_config_store(const struct docker_config_options *o, const char *host,
			const struct login *l, char **where, struct error *err);
/* Forgets the login in the first file and its helper; a warning names another file that still has one. */
int docker_config_erase(const struct docker_config_options *o, const char *host, bool *found,
			struct error *err);
/* The login in the text of one configuration file, helpers aside (path for messages). */
int docker_config_parse(const char *text, size_t len, const char *path, const char *host,
			const char *repository, struct login *out, bool *found, struct error *err);
