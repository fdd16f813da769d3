/* One of docker's configuration files as JSON: which helper serves a host, and the entry of a host in "auths". */
#pragma once

#include "base/json.h"
#include "base/strlist.h"
#include "net/login.h"

/* Names under which the configuration may know host; the first is what docker writes and passes to helpers. */
void docker_auths_names(struct strlist *out, const char *host);
/*
 * ERROR_SYNTAX, for a field of a wrong type too, without a word of the text, which holds secrets. Empty text is an empty object.
 * The other functions take what this one gave.
 */
int docker_auths_parse(json_t **out, const char *text, size_t len, const char *path,
		       struct error *err);
/* The helper for host, and the name of the host for it (both views into j and names); NULL: no helper. */
int docker_auths_helper(const json_t *j, const struct strlist *names, const char *path,
			const char **helper, const char **server, struct error *err);
/* The entry in auths: the longest part of host/repository, then old forms ("https://host/v1/"). */
int docker_auths_find(const json_t *j, const char *host, const char *repository, const char *path,
		      struct login *out, bool *found, struct error *err);
/* Sets the entry of name; l NULL: an empty entry, as docker leaves one where a helper has the secret. */
void docker_auths_set(json_t *j, const char *name, const struct login *l);
/* Removes every entry that means host; true when there was one. */
bool docker_auths_remove(json_t *j, const char *host);
