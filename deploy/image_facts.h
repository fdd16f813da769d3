/* What an image is, as far as it decides whether its container can start: read from its configuration and the merged view. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "oci/image.h"

enum program_state {
	PROGRAM_UNKNOWN, /* a layer is not here */
	PROGRAM_OK,
	PROGRAM_NONE,           /* there is nothing to run */
	PROGRAM_MISSING,        /* no such file: on PATH, or at the path */
	PROGRAM_NOT_EXECUTABLE, /* no x bit, or no file */
};

/* The first word of entrypoint and command, found as the kernel and docker find it. */
struct image_program {
	enum program_state state;
	char *name;        /* the word itself; NULL: there is none */
	char *path;        /* the file in the image; NULL when it was not found */
	char *interpreter; /* what a script's "#!" names and the image lacks; NULL: nothing is wrong */
	bool crlf;         /* the "#!" line ends with a carriage return */
};

struct image_facts {
	const struct image_config *config; /* the image's: a view */
	bool tree_known;      /* every layer could be looked into: the rest means something */
	int64_t uncompressed; /* bytes of the files of all layers; -1: not known */
	int64_t compressed;   /* bytes that are pulled; always known */
	bool has_shell;       /* /bin/sh is there */
	bool user_known;      /* USER is there, a number, or not set */
	struct image_program program;
};

/* What a container definition says instead of the image; each NULL: the image's own. Views. */
struct image_overrides {
	const struct strlist *entrypoint, *command;
	const char *path; /* PATH of its environment */
	const char *user, *working_dir;
};

/*
 * Looks at an image of the store, which outlives the facts. A layer that is not in the store leaves facts unknown; it is no error.
 * "#!" is read of small files in layers that inflate fast. ERROR_CORRUPT of a damaged layer.
 */
int image_facts_read(struct image_facts *out, struct store *s, const struct image *image,
		     const struct image_overrides *instead, struct error *err);
void image_facts_release(struct image_facts *f);

CLEANUP_RELEASE(image_facts)
