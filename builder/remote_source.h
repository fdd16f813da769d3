/*
 * Sources of ADD that are not paths: URLs and git repositories. Each is first asked what it is now (a commit, or whether the file
 * is still the one that an earlier build saw), which is all that a cached step needs, and fetched when the layer is made.
 *
 *	remote_check(ins, &n, err);
 *	remote_identify(&r, b, ins, err);  remote_key(&r, ins, &key);
 *	remote_fetch(&r, b, ins, err);     r.fetched is for copy_request
 */
#pragma once

#include "builder/build_state.h"
#include "builder/copy.h"
#include "builder/plan.h"

enum remote_kind { REMOTE_NONE, REMOTE_URL, REMOTE_GIT };
/* What git_ref_is() says is git; else http:// and https://. */
enum remote_kind remote_kind_of(const char *source);
/*
 * "https://h/a/b%20c.tgz?x" -> "b c.tgz", as BuildKit names the file whatever the server calls it; "__unnamed__" when the URL has no
 * path, or one that cannot be decoded. free()
 */
char *remote_name(const char *url);

struct remote_item;
struct remote_files {
	char *folder; /* temporary; NULL: nothing was fetched */
	struct remote_item *items;
	struct copy_fetched *fetched; /* views of the items, one a source */
	bool changed;                 /* a file is not the one that remote_identify() told of */
	size_t n;
};
/*
 * Checks sources and --checksum of a COPY or ADD. ERROR_SYNTAX ("source can't be a URL for COPY"). *n: how many sources are no
 * paths.
 */
int remote_check(const struct instruction *ins, size_t *n, struct error *err);
/* Asks each repository for its commit, and each URL without --checksum whether it changed (which may bring its bytes). */
int remote_identify(struct remote_files *r, struct build *b, const struct instruction *ins,
		    struct error *err);
/* What remote_identify() found. */
void remote_key(const struct remote_files *r, const struct instruction *ins, struct step_key *k);
/* The names that downloads take inside a destination folder. */
void remote_key_names(const struct remote_files *r, struct step_key *k);
/* Fetches what is not here yet; a wrong --checksum is ERROR_CORRUPT. */
int remote_fetch(struct remote_files *r, struct build *b, const struct instruction *ins,
		 struct error *err);
void remote_files_release(struct remote_files *r);
