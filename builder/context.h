/*
 * A build context: a local folder with its ignore file. A context that came as a tar (stdin) is unpacked into a
 * temporary folder first. Files are only opened below the folder's descriptor.
 */
#pragma once

#include <stdbool.h>

#include "base/log.h"
#include "base/sink.h"
#include "dockerfile/ignore.h"
#include "oci/entry.h"
#include "oci/store.h"

struct context_kept;

struct context {
	char *name; /* "context", or the name of --build-context */
	char *path; /* absolute, for messages and bind mounts */
	char *label; /* what a temporary one came from, for messages: "standard input", a URL; else NULL */
	int dirfd;
	struct ignore *ignore; /* NULL: nothing is ignored */
	bool temporary;        /* removed by context_free(): owned when that is set, else path */
	char *owned;           /* the temporary folder that path is in */
	int64_t time; /* of what was fetched: the commit, Last-Modified, else the newest in the tar; -1: none */
	bool unpacked; /* from a tar: kept tells of modes and times */
	/* Of a tar: modes and folder times that the unpacked files cannot have; sorted by path. */
	struct context_kept *kept;
	size_t n_kept;
};

/* ignore_path: the Dockerfile's own ignore file when it exists, NULL: FOLDER/.dockerignore. ERROR_NOT_FOUND. */
int context_open_folder(struct context **out, const char *name, const char *path,
			const char *ignore_path, struct error *err);
/* Also a folder as it is, without an ignore file: a repository that ADD names. */
int context_open_plain(struct context **out, const char *name, const char *path, struct error *err);
/* The context's file of that name as its ignore file, instead of .dockerignore; missing is no error. */
int context_use_ignore(struct context *c, const char *name, bool *found, struct error *err);
/* A tar (compressed or not) on fd, unpacked below the store's ingest folder, safely. label: "standard input", a URL. */
int context_open_tar(struct context **out, struct store *s, int fd, const char *label,
		     struct error *err);
void context_free(struct context *c);
/* Gives an entry of the context what its tar said of it; folders that the tar did not name get made_mtime. */
void context_adjust(const struct context *c, const char *path, bool is_dir, int64_t made_mtime,
		    struct entry *e);

CLEANUP_FREE(context)
