/*
 * Repositories over the network, by the git program as a child: nothing of the user's or the machine's git configuration is
 * read, no prompt is shown, no hook runs, no protocol but http, https, ssh and git is spoken (submodules included), and
 * credentials go through the environment, never through arguments.
 *
 *	git_resolve(&commit, &client, &request, err);      which commit is it? No bytes are fetched
 *	git_checkout(&client, &request, &commit, folder, &root, err);
 *
 * Remote, ref and subdir of a request are taken as valid (dockerfile/git_ref.h); options cannot be smuggled in any of them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/strmap.h"

struct git_client {
	char *const *environ;       /* where git is found: PATH */
	const struct strmap *proxy; /* HTTP_PROXY and kin; may be NULL */
	const char *ca_file;        /* NULL: git's own */
	bool ssh_allowed;           /* what follows is for ssh alone */
	bool ssh_agent_only;        /* no keys in files, no configuration of the user's */
	const char *home;           /* its keys and known hosts */
	const char *ssh_socket;     /* SSH_AUTH_SOCK, or NULL */
	const char *ssh_command;    /* GIT_SSH_COMMAND, or NULL */
	const struct cancel *cancel;
};

struct git_request {
	const char *remote;   /* without a password */
	const char *ref;      /* NULL: the default branch */
	const char *subdir;   /* NULL: the root */
	const char *checksum; /* the first digits of the commit id, or NULL */
	const char
		*authorization; /* value of the header for the remote's origin: secret; or NULL */
	bool keep_git_dir, no_submodules;
	bool checkout_times; /* else files and folders are of the commit's time */
};

struct git_commit {
	char id[65];     /* what the ref names: a commit, or an annotated tag */
	char commit[65]; /* the commit itself */
	char *ref;       /* "refs/heads/main"; NULL: the commit was asked for by its id */
};

/*
 * A full commit id needs no network. ERROR_NOT_FOUND: no such ref, or no git program (with a remedy). ERROR_CORRUPT: not what
 * checksum says. ERROR_REMOTE with git's own words.
 */
int git_resolve(struct git_commit *out, const struct git_client *c, const struct git_request *r,
		struct error *err);
/*
 * The files of the commit in folder, which must be empty: shallow, with submodules, without .git unless it is kept. *root is
 * the folder itself or the subdir in it (free()), *time the commit's, in seconds since 1970; ERROR_NOT_FOUND when there is no such
 * subdir, links out of the repository included.
 */
int git_checkout(const struct git_client *c, const struct git_request *r,
		 const struct git_commit *commit, const char *folder, char **root, int64_t *time,
		 struct error *err);
void git_commit_release(struct git_commit *c);

CLEANUP_RELEASE(git_commit)
