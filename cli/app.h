/*
 * What every command needs, made when first asked for: the environment (read once), the store, the registry client, the
 * sandbox, the terminal. Here, and only here, the siblings meet: registry fills the builder's image_source, docker_config and aws the
 * registry's login_source.
 */
#pragma once

#include <pthread.h>

#include "base/log.h"
#include "base/pool.h"
#include "base/strlist.h"
#include "base/strmap.h"
#include "builder/build.h"
#include "cli/aws_login.h"
#include "cli/environment.h"
#include "cli/terminal.h"
#include "oci/lease.h"
#include "oci/reference.h"
#include "registry/docker_config.h"
#include "registry/registry.h"

struct app {
	struct environment env;
	struct terminal *terminal;
	struct reporter *reporter; /* the terminal's */
	struct cancel *cancel;
	struct strlist insecure; /* --insecure-registry of the command */
	struct strlist mirror;   /* --mirror of the command */
	struct mirrors *mirrors; /* under the lock; NULL: none, or not read yet */
	bool mirrors_read;
	struct store *store;
	struct lease *lease;
	struct pool *pool;      /* hashing, compression */
	struct pool *transfers; /* blobs of pulls and pushes */
	pthread_mutex_t lock;   /* of registry */
	struct registry_client *registry;
	struct docker_config_options docker_config;
	struct aws_flags aws_flags;    /* --profile and kin of the command */
	struct strmap local_variables; /* with --local: secret */
	struct aws_login *aws;
	bool no_create_repo; /* --no-create-repo of the command */
	struct sandbox *sandbox;
};

void app_init(struct app *a, char **envp, struct cancel *cancel);
void app_release(struct app *a);

/* Each opens on first use. */
int app_store(struct app *a, struct error *err); /* and takes a lease */
int app_registry(struct app *a, struct error *err);
int app_sandbox(struct app *a, struct error *err);
/* A registry client apart, with the logins and trust of all; of limits only cancel, retries, pause and timeouts are read. */
int app_new_registry(struct app *a, const struct registry_options *limits,
		     struct registry_client **out, struct error *err);
struct pool *app_pool(struct app *a);

/* The last word of a command that failed. */
void app_print_error(struct app *a, const struct error *err);
/*
 * An image by name, ID or digest in the store, and what the name points at (may be NULL). platform: as an option gives it; NULL:
 * the host's, else any that is here.
 */
int app_load_image(struct app *a, const char *name, const char *platform, struct descriptor *top,
		   struct image **out, struct error *err);
/*
 * As app_load_image; when it is not here it is pulled from its registry first. cancel ends that (ERROR_CANCELLED); NULL: what ends the
 * program.
 */
int app_need_image(struct app *a, const char *name, const struct platform *platform,
		   const struct cancel *cancel, struct image **out, struct error *err);
/* Layers that a build left in a registry (--cache-from), into the store. */
int app_fetch_layers(struct app *a, const struct image *image, struct error *err);
/* The registry as the source of FROM images. */
struct image_source app_image_source(struct app *a);
/* --progress of commands that move bytes or build: starts the terminal. ERROR_USAGE for an unknown kind. */
int app_progress(struct app *a, const char *kind, bool quiet, struct error *err);
