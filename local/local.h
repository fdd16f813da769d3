/*
 * The local target: ECR, ECS, CloudWatch Logs, STS, IAM, EC2 and what a deploy asks besides of AWS, on one loopback port of this machine, with tasks
 * that really run. One process holds it all:
 *
 *	local_open(&l, &options, err);       reads the state, starts listening
 *	local_serve(l, cancel);              until a signal
 *	local_close(l);                      stops the tasks
 */
#pragma once

#include <stdatomic.h>

#include "local/exec_socket.h"
#include "local/images.h"
#include "local/log_store.h"
#include "local/network.h"
#include "local/reconciler.h"
#include "local/runner.h"
#include "local/state.h"

#define LOCAL_DEFAULT_PORT 4599
#define LOCAL_ACCOUNT      "000000000000"
#define STATE_FOLDER       "state" /* of state.h, in the local target's own */
#define LOGS_FOLDER        "logs"

struct local_options {
	const char *folder; /* $SLIPWAY_ROOT/local */
	struct store *store;
	struct sandbox *sandbox;
	struct images images; /* pull and its arg */
	int port;             /* 0: any free one */
	const char *region;   /* of a new state; NULL: us-east-1 */
	bool no_auth;         /* signatures are not looked at */
	int settle_ms;        /* of reconciler_options; 0: as usual */
	struct reporter *reporter;
};

/* What the operations see. Everything but the state has locks of its own. */
struct local {
	struct state *state;
	struct store *store;
	struct sandbox *sandbox;
	struct images images;
	struct log_store *logs;
	struct network *network;
	struct runner *runner;
	struct reconciler *reconciler;
	struct exec_socket *exec;
	struct registry_server *registry;
	struct server *server;
	struct reporter *reporter;
	const struct cancel
		*cancel; /* whose second signal makes an end of waiting; NULL before it serves */
	char *region, *access_key, *secret_key; /* secret_key is secret */
	char *folder, *host;                    /* host: "127.0.0.1:4599" */
	int port;
	int64_t started_ns;     /* since 1970 */
	int64_t expire_logs_ns; /* when old events are next looked for: of time_monotonic_ns() */
	bool no_auth;
	atomic_bool ready;        /* what comes earlier is told to come again */
	atomic_size_t api_bodies; /* bytes of requests that are coming */
};

int local_open(struct local **out, const struct local_options *o, struct error *err);
void local_serve(struct local *l, const struct cancel *cancel);
void local_close(struct local *l);
/* Forgets everything, with the repositories that it made in the store. Nobody may run on the folder: ERROR_DENIED. */
int local_reset(const char *folder, struct store *store, struct error *err);
