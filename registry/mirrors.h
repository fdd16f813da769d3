/*
 * Where images are pulled from besides their own registry: --mirror, and the part of registries.conf that is about it
 * (containers-registries.conf(5), version 2: [[registry]] with prefix, location, insecure, blocked, mirror-by-digest-only;
 * [[registry.mirror]] with location, insecure, pull-from-mirror). Pushes go where the name says.
 *
 *	m = mirrors_new();
 *	mirrors_add(m, "docker.io=mirror.example.com/hub", err);
 *	mirrors_parse(m, text, len, path, err);       any number of files, the later one wins
 *	mirrors_find(m, &ref, by_digest, &endpoints, err);
 */
#pragma once

#include "base/strlist.h"
#include "oci/reference.h"

struct mirrors;

struct mirrors *mirrors_new(void);
void mirrors_free(struct mirrors *m);
/* An option "NAME=HOST[/PREFIX]": goes before what files say. ERROR_USAGE. */
int mirrors_add(struct mirrors *m, const char *option, struct error *err);
/* ERROR_SYNTAX and ERROR_UNSUPPORTED with path:line. */
int mirrors_parse(struct mirrors *m, const char *text, size_t len, const char *path,
		  struct error *err);
/* Does it say anything? */
bool mirrors_any(const struct mirrors *m);
/* "PATH:LINE" of a search list that would look for names without a host elsewhere than at docker.io; NULL: none. */
const char *mirrors_search_list(const struct mirrors *m);
/* Has a file called the host (of a location or a prefix) insecure? NULL m: no. */
bool mirrors_insecure(const struct mirrors *m, const char *host);

struct endpoint {
	struct image_ref ref;
	bool is_mirror; /* the last endpoint is none */
};

struct endpoints {
	struct endpoint *items;
	size_t n;
};

/* Where to look for ref, in order; by_digest: what is asked for is named by its digest. ERROR_DENIED: blocked. NULL m: ref alone. */
int mirrors_find(const struct mirrors *m, const struct image_ref *ref, bool by_digest,
		 struct endpoints *out, struct error *err);
void endpoints_release(struct endpoints *e);

CLEANUP_FREE(mirrors)
CLEANUP_RELEASE(endpoints)
