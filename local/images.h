/*
 * Which image a task definition's text names: the local registry's own repositories, ECR names of any account (which mean the local
 * repository of that name), else slipway's own store and other registries.
 */
#pragma once

#include "base/log.h"
#include "oci/image.h"
#include "oci/reference.h"
#include "oci/store.h"

struct images {
	struct store *store;
	const char *registry; /* "127.0.0.1:4599", the local target's own */
	/* An image that is nowhere here; NULL: nothing is pulled. Any thread. cancel: as images_find() has it. */
	int (*pull)(void *arg, const char *name, const struct platform *platform,
		    const struct cancel *cancel, struct image **out, struct error *err);
	void *arg;
};

/*
 * The image for the platform (NULL: the host's); *digest (free()) is that of what the name points at, "sha256:..". The message of an error is what ECS
 * says behind "CannotPullContainerError: ".
 * cancel ends a pull (ERROR_CANCELLED); NULL: nobody does.
 */
int images_find(const struct images *i, const char *name, const struct platform *platform,
		const struct cancel *cancel, struct image **out, char **digest, struct error *err);
/* The local repository that the name means, or NULL; free(). */
char *images_repository(const struct images *i, const char *name);
