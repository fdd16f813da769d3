/*
 * The local target as a command sees it: is it there, start it, and ask it instead of AWS (--local).
 */
#pragma once

#include "cli/app.h"
#include "local/endpoint.h"

struct local_start {
	int port;           /* 0: the usual one */
	const char *region; /* of a new state; NULL: us-east-1 */
	bool no_auth;
	bool port_given; /* 0 then means any free one */
};

/* $SLIPWAY_ROOT/local; free(). */
char *local_target_folder(const struct app *a);
/* Starts it in the background and waits until it answers; its words go to FOLDER/log. */
int local_target_start(struct app *a, const struct local_start *o, struct local_endpoint *out,
		       struct error *err);
/* The one that runs: ERROR_NOT_FOUND with how to start it. */
int local_target_need(struct app *a, struct local_endpoint *out, struct error *err);
/*
 * After the options of a command that asks AWS were read: with --local every call goes to the local target, whatever keys and profiles the
 * environment has. start: one that does not run is started. Without --local nothing changes.
 */
int local_target_use(struct app *a, bool start, struct error *err);
/* With --local: the address of its status page with the key, a view; else NULL. */
const char *local_target_page(const struct app *a);
/* Is this the registry of the local target that runs here? Then the login there. */
bool local_target_is_registry(struct app *a, const char *host);
int local_target_login(struct app *a, struct login *out, struct error *err);
/* "127.0.0.1:4599" with --local, else NULL; free(). */
char *local_target_registry(struct app *a);
/* Makes the repository there. */
int local_target_make_repository(struct app *a, const char *repository, struct error *err);
