/* One run of the git program. */
#pragma once

#include "base/strbuf.h"
#include "net/git.h"

struct git_run {
	const struct git_client *client;
	const struct git_request *request;
	const char *folder; /* where it runs; NULL: "/" */
};

/*
 * Runs git with the arguments up to NULL. *ok: it ended with 0; what it wrote is in out and errors (each may be NULL). Not to
 * be able to run it is the failure of the call.
 */
int git_child(const struct git_run *run, const char *const *args, struct strbuf *out,
	      struct strbuf *errors, bool *ok, struct error *err);
/* The same, where anything but 0 is ERROR_REMOTE with git's last words. */
int git_child_must(const struct git_run *run, const char *const *args, struct strbuf *out,
		   struct error *err);
/* ERROR_REMOTE: what was attempted, why, what may help. */
int git_child_failed(const struct git_run *run, const char *what, const struct strbuf *errors,
		     struct error *err);
