/*
 * Git repositories as docker writes them, in ADD, as build contexts and in --build-context:
 *
 *	https://HOST/PATH.git#REF:SUBDIR       http(s) only when the path ends in ".git"
 *	git://HOST/PATH, ssh://USER@HOST/PATH
 *	USER@HOST:PATH                         as git@github.com:owner/repository.git
 *	...?branch=B&subdir=S                  the query form
 *
 * Keys of the query: ref, tag, branch, subdir, checksum or commit, keep-git-dir, submodules, mtime=commit|checkout. Nothing in
 * it can be read as an option of git, lead out of the repository, or name another protocol.
 */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"

enum git_choice { GIT_UNSET, GIT_NO, GIT_YES };

struct git_ref {
	char *remote;   /* what git is given: without password, query and fragment */
	char *userinfo; /* "USER:PASSWORD" of a http(s) URL, as written: secret; NULL without */
	char *ref; /* branch, tag, "refs/..", "pull/1/head" or full commit id; NULL: the default branch */
	char *subdir;   /* relative, cleaned; NULL: the root */
	char *checksum; /* hex, lower case: how the commit id must begin; NULL: any */
	enum git_choice keep_git_dir, submodules;
	bool checkout_times; /* mtime=checkout: files are of now, not of the commit's time */
};

/* Does docker take the text for a git repository? The short form github.com/OWNER/NAME counts for contexts only. */
bool git_ref_is(const char *text, bool is_context);
/* ERROR_SYNTAX; its message shows no password. Only for what git_ref_is() says yes to. */
int git_ref_parse(struct git_ref *out, const char *text, struct error *err);
void git_ref_release(struct git_ref *r);
/* SHA-1 or SHA-256 in hex, whole: such a ref needs no network to know the commit. */
bool git_is_commit_id(const char *text);
/* How people may see it: no userinfo, no query. free() */
char *git_ref_redact(const char *text);

CLEANUP_RELEASE(git_ref)
