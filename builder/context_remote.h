/* Contexts that are fetched first: git repositories, and http(s) URLs of a tar or of a single file. */
#pragma once

#include "builder/build.h"

/* A git reference to be opened; commit NULL: it is resolved first. */
struct context_git {
	const struct fetch_source *fetch;
	const struct git_ref *ref;
	enum fetch_for who;
	bool keep_git_dir;
	const struct fetch_commit *commit;
	const char *label; /* for people: without password and query */
};
/* The commit's files as a temporary context without an ignore file. */
int context_open_git(struct context **out, struct store *s, const struct context_git *g,
		     struct error *err);
/* Downloads into a file without a name, below the store's ingest folder; *fd is at its beginning, *mtime of Last-Modified or -1. */
int context_download(struct store *s, const struct fetch_source *fetch, const char *url, int *fd,
		     int64_t *mtime, struct error *err);
/* Compressed or plain tar, an empty one too? Leaves the offset at 0. */
bool context_is_archive(int fd);
/* A temporary context of one file with that name. */
int context_open_single(struct context **out, struct store *s, int fd, const char *file,
			const char *label, struct error *err);
/* No files at all. */
int context_open_empty(struct context **out, struct store *s, const char *label, struct error *err);
/* A named context's URL: what the tar holds, or one file called "context". */
int context_open_url(struct context **out, struct store *s, const struct fetch_source *fetch,
		     const char *url, struct error *err);
